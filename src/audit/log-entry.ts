import type { Developer } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { notFound } from '../errors.ts';
import { agentDid } from '../ids.ts';
import { done, isRefused, type Outcome, refuse } from '../outcome.ts';
import { type AuditStatus, entryHash } from './chain.ts';
import { type AuditRow, appendEntry, lockChain, principalOf } from './store.ts';

export interface AuditInput {
  readonly agentId: string;
  readonly agentDid: string | undefined;
  readonly grantId: string;
  readonly principalId: string | undefined;
  readonly action: string;
  readonly status: AuditStatus;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/**
 * Appends an entry to the developer's chain. Writers of one developer wait for each other across all replicas, so the
 * chain never forks and its times never go back. NOT_FOUND when the agent or the grant does not belong to the
 * developer.
 */
export async function logEntry(
  { db, ids, clock, activity }: Pick<Deps, 'db' | 'ids' | 'clock' | 'activity'>,
  { id: developerId }: Pick<Developer, 'id'>,
  input: AuditInput,
): Promise<Outcome<AuditRow>> {
  const logged = await db.transaction(async (tx) => {
    const principalId = await principalOf(tx, { developerId, ...input });
    if (principalId === undefined) return refuse(notFound('Agent or grant'));
    const prevHash = await lockChain(tx, developerId);
    const now = clock.now();
    const createdAt = new Date(now);
    const entry = { ...input, entryId: ids.next('alog', now), timestamp: createdAt.toISOString(), prevHash };
    const row: AuditRow = {
      ...input,
      id: entry.entryId,
      developerId,
      agentDid: input.agentDid ?? agentDid(input.agentId),
      principalId: input.principalId ?? principalId,
      createdAt,
      hash: entryHash(entry),
      prevHash,
    };
    await appendEntry(tx, row);
    return done(row);
  });
  if (!isRefused(logged) && input.status !== 'success') activity.agentActed(input.agentId);
  return logged;
}
