import type { Queryable } from '../db/queryable.ts';
import type { AuditStatus } from './chain.ts';
import { boundsOfTime, entriesAfter } from './chain-store.ts';
import type { AuditRow } from './store.ts';

/** Entries of one statement. Each has at most some 20 KB. */
const AT_ONCE = 250;

export interface AllEntriesInput {
  readonly developerId: string;
  readonly since?: Date | undefined;
  readonly until: Date;
  readonly agentId?: string | undefined;
  readonly status?: AuditStatus | undefined;
  /** Ends the reading between two statements. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * All entries of a developer that match, in the order of the chain, page by page: however many there are, one page is in
 * memory. What does not match is read too, so that every statement is equally small.
 * @throws what `signal` was aborted with
 */
export async function* allEntries(
  db: Queryable,
  { developerId, since, until, agentId, status, signal }: AllEntriesInput,
): AsyncGenerator<readonly AuditRow[], void> {
  const { first, last } = await boundsOfTime(db, developerId, { since, until });
  if (first === null || last === null) return;
  const matches = (entry: AuditRow) =>
    entry.createdAt <= until &&
    (since === undefined || entry.createdAt >= since) &&
    (agentId === undefined || entry.agentId === agentId) &&
    (status === undefined || entry.status === status);
  for (let after = first - 1; after < last; ) {
    signal?.throwIfAborted();
    const rows = await entriesAfter(db, { developerId, after, last, limit: AT_ONCE });
    const end = rows.at(-1);
    if (!end) return;
    after = end.seq;
    yield rows.filter(matches);
  }
}
