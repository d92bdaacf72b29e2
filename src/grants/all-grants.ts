import type { Queryable } from '../db/queryable.ts';
import { grantsAfter } from './all-grants-store.ts';
import type { Grant, GrantStatus } from './store.ts';

const AT_ONCE = 250;

export interface AllGrantsInput {
  readonly developerId: string;
  /** Bounds of the time of issue, themselves included. */
  readonly since?: Date | undefined;
  readonly until: Date;
  readonly status?: GrantStatus | undefined;
  /** Decides whether a grant reads `expired`. */
  readonly now: Date;
  /** Ends the reading between two statements. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * All grants of a developer that match, oldest first, page by page: however many there are, one page is in memory. What does
 * not match is read too, so that every statement is equally small.
 * @throws what `signal` was aborted with
 */
export async function* allGrants(
  db: Queryable,
  { developerId, since, until, status, now, signal }: AllGrantsInput,
): AsyncGenerator<readonly Grant[], void> {
  for (let [at, id] = [since?.toISOString() ?? '-infinity', '']; ; ) {
    signal?.throwIfAborted();
    const rows = await grantsAfter(db, { developerId, at, id, until, now, limit: AT_ONCE });
    const last = rows.at(-1);
    if (!last) return;
    [at, id] = [last.position, last.id];
    yield status === undefined ? rows : rows.filter((grant) => grant.status === status);
  }
}
