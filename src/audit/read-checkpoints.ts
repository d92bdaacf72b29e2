import type { Developer } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { done, type Outcome } from '../outcome.ts';
import { type Checkpoint, checkpointsPage } from './checkpoint-store.ts';

export interface CheckpointsInput {
  /** The times at which the checkpoints were made. */
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
  readonly page: { readonly limit: number; readonly offset: number };
}

export interface Checkpoints {
  readonly checkpoints: readonly Checkpoint[];
  /** The number of checkpoints on all pages. */
  readonly total: number;
}

/** One page of a developer's checkpoints, newest first. */
export const listCheckpoints = async (
  { db }: Pick<Deps, 'db'>,
  { id }: Pick<Developer, 'id'>,
  { page, ...times }: CheckpointsInput,
): Promise<Outcome<Checkpoints>> => done(await checkpointsPage(db, id, times, page));
