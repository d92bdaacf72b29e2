import { bigint, bool, int, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';

/** A code can be exchanged, or a request decided, before this time. The index of retention is on the same expression. */
const ENDED = 'greatest(expires_at, code_expires_at)';

// Whoever has the row of the horizon counts. What ended by the target is final, because the target lies a minute back: no
// decision and no exchange that began before the end is still under way. The numbers and the horizon move together, so each
// request is counted once, whichever replica does it and whenever it stops.
const count = query({
  operation: 'UPDATE',
  collection: 'tallies',
  name: 'tallies.count_expired_requests',
  text: `with turn as materialized (
      select horizon from tallies where name = 'requests_expired_undecided' for update skip locked),
    step as materialized (
      select horizon, least($target::timestamptz, coalesce((
          select ${ENDED} from authorization_requests where ${ENDED} > horizon order by ${ENDED} limit 1 offset $limit),
        $target::timestamptz)) as until
      from turn),
    expired as materialized (
      select count(*) filter (where status = 'pending') as undecided, count(*) filter (where status = 'approved') as unused
      from step join authorization_requests on ${ENDED} > step.horizon and ${ENDED} <= step.until
      where exchanged_at is null),
    moved as (
      update tallies set horizon = step.until,
        total = total + case name when 'requests_expired_undecided' then expired.undecided else expired.unused end
      from step, expired
      where name in ('requests_expired_undecided', 'requests_expired_unused') and step.until > step.horizon)
    select expired.undecided::int as undecided, expired.unused::int as unused, step.until < $target::timestamptz as more
    from step, expired`,
  params: { target: timestamp, limit: bigint },
  row: { undecided: int, unused: int, more: bool },
});

/** Requests that have expired since the last count. */
export interface ExpiredRequests {
  /** Nobody decided in time. */
  readonly undecided: number;
  /** It was approved, and nobody exchanged its code in time. */
  readonly unused: number;
  /** There are more that ended by the target. */
  readonly more: boolean;
}

const NONE: ExpiredRequests = { undecided: 0, unused: 0, more: false };

/**
 * Counts requests that ended by `target`, at least a minute ago, and were not counted: some `limit` of them. Each is in the
 * answer of exactly one call. None while another replica counts.
 */
export const countExpiredRequests = async (
  db: Queryable,
  { target, limit }: { target: Date; limit: number },
): Promise<ExpiredRequests> => (await db.first(count, { target, limit })) ?? NONE;
