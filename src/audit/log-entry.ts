import type { Developer } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { notFound, ServiceError } from '../errors.ts';
import { agentDid } from '../ids.ts';
import { done, isRefused, type Outcome, refuse } from '../outcome.ts';
import { type AuditStatus, entryHash } from './chain.ts';
import { type AuditRow, appendEntry, type ChainHead, lockChain, principalOf } from './store.ts';

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
 * developer, PLAN_LIMIT_EXCEEDED when the day (UTC) already has `MAX_AUDIT_ENTRIES_PER_DAY` entries of the developer.
 */
export async function logEntry(
  { db, ids, clock, activity, config }: Pick<Deps, 'db' | 'ids' | 'clock' | 'activity' | 'config'>,
  { id: developerId }: Pick<Developer, 'id'>,
  input: AuditInput,
): Promise<Outcome<AuditRow>> {
  const logged = await db.transaction(async (tx) => {
    const principalId = await principalOf(tx, { developerId, ...input });
    if (principalId === undefined) return refuse(notFound('Agent or grant'));
    const head = await lockChain(tx, developerId);
    const prevHash = head.hash;
    const now = clock.now();
    const createdAt = new Date(now);
    const counted = countedWith(head, createdAt);
    if (counted.entriesOfDay > config.maxAuditEntriesPerDay)
      return refuse(
        new ServiceError(
          'PLAN_LIMIT_EXCEEDED',
          `A developer has at most ${config.maxAuditEntriesPerDay} audit entries a day (UTC)`,
        ),
      );
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
    await appendEntry(tx, row, counted);
    return done(row);
  });
  if (!isRefused(logged) && input.status !== 'success') activity.agentActed(input.agentId);
  return logged;
}

/**
 * The count of the day with one more entry at `at`. The day never goes back: a replica whose clock is behind counts for the
 * day that another one has begun, or each of them would begin the count anew at midnight.
 */
function countedWith({ day, entriesOfDay }: ChainHead, at: Date): { day: string; entriesOfDay: number } {
  const today = at.toISOString().slice(0, 10);
  return day === null || day < today
    ? { day: today, entriesOfDay: 1 }
    : { day, entriesOfDay: entriesOfDay + 1 };
}
