import { bigint, bool, float, int, text, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';

/** The rows that each kept number counts while they have not expired: a table with its conditions. */
const ACTIVE_GRANTS = `grants where status = 'active' and`;
const REMOVAL_GRANTS = 'removal_grants where';

/**
 * SQL for the number of rows that expire after `now`, exact as of the statement's snapshot. It reads the changes that have
 * not been added to the total yet, and the index entries between the horizon and now: never the table.
 */
const kept = (name: string, rows: string, now: string): string => `(select total
      + (select coalesce(sum(change), 0) from tally_changes where tally_changes.name = tallies.name and ends_by > horizon)
      - (select count(*) from ${rows} expires_at > tallies.horizon and expires_at <= ${now})
      + (select count(*) from ${rows} expires_at > ${now} and expires_at <= tallies.horizon)
    from tallies where name = '${name}')::float8`;

/** SQL expressions for the kept numbers as of `now`, an expression too. `keptActiveGrants` and the others say what they count. */
export const keptNumbers = (now: string) => {
  const pending = kept('removal_pending', REMOVAL_GRANTS, now);
  const unacknowledged = `(select total + (select coalesce(sum(change), 0) from tally_changes
      where tally_changes.name = tallies.name) from tallies where name = 'unacknowledged_anomalies')::float8`;
  return { active: `(${kept('active_grants', ACTIVE_GRANTS, now)} - ${pending})`, pending, unacknowledged };
};
/** The same by a count of every row. */
export const countedNumbers = (now: string) => ({
  active: `(select count(*) from ${ACTIVE_GRANTS} expires_at > ${now}
        and id not in (select grant_id from removal_grants))::float8`,
  pending: `(select count(*) from removal_grants join grants on grants.id = grant_id
        where status = 'active' and grants.expires_at > ${now})::float8`,
  unacknowledged: '(select count(*) from anomalies where acknowledged_at is null)::float8',
});
const KEPT = keptNumbers('$now::timestamptz');

const readActive = query({
  operation: 'SELECT',
  collection: 'tallies',
  name: 'tallies.active_grants',
  text: `select ${KEPT.active} as total`,
  params: { now: timestamp },
  row: { total: float },
});
const readPending = query({
  operation: 'SELECT',
  collection: 'tallies',
  name: 'tallies.removal_pending',
  text: `select ${KEPT.pending} as total`,
  params: { now: timestamp },
  row: { total: float },
});
const readUnacknowledged = query({
  operation: 'SELECT',
  collection: 'tallies',
  name: 'tallies.unacknowledged_anomalies',
  text: `select ${KEPT.unacknowledged} as total`,
  params: {},
  row: { total: float },
});

// Whoever has this row writes the totals.
const takeTurn = query({
  operation: 'SELECT',
  collection: 'tallies',
  name: 'tallies.take_turn',
  text: `select name from tallies where name = 'active_grants' for update skip locked`,
  params: {},
  row: { name: text },
});
const add = query({
  operation: 'UPDATE',
  collection: 'tallies',
  name: 'tallies.add_changes',
  text: `with taken as (
      delete from tally_changes where ctid = any(array(select ctid from tally_changes limit $limit))
      returning name, ends_by, change),
    added as (
      update tallies set total = total + summed.change
      from (select taken.name, sum(taken.change) as change from taken join tallies using (name)
        where taken.ends_by > tallies.horizon group by taken.name) summed
      where tallies.name = summed.name)
    select count(*)::int as taken from taken`,
  params: { limit: bigint },
  row: { taken: int },
});

/**
 * The horizon moves to the target, or as far as `$limit` rows expire before it, but at least a minute. What the snapshot shows
 * of rows and of changes belongs together. A transaction that ends later brings changes of before the new horizon, and these
 * count for nothing: its rows have been taken out, or were never in.
 */
const advance = (name: string, rows: string) =>
  query({
    operation: 'UPDATE',
    collection: 'tallies',
    name: `tallies.advance_${name}`,
    text: `with step as materialized (
        select name, horizon, least($target::timestamptz, greatest(horizon + interval '1 minute', date_bin('1 minute',
            coalesce((select expires_at from ${rows} expires_at > horizon order by expires_at limit 1 offset $limit),
              $target::timestamptz), timestamptz '2000-01-01 00:00:00Z'))) as until
        from tallies where name = '${name}'),
      moved as (
        update tallies set horizon = step.until, total = tallies.total
          - (select count(*) from ${rows} expires_at > step.horizon and expires_at <= step.until)
          + (select coalesce(sum(change), 0) from tally_changes where tally_changes.name = step.name
            and ends_by > step.horizon and ends_by <= step.until)
        from step where tallies.name = step.name and step.until > step.horizon)
      select until < $target::timestamptz as more from step`,
    params: { target: timestamp, limit: bigint },
    row: { more: bool },
  });
const advanceActive = advance('active_grants', ACTIVE_GRANTS);
const advancePending = advance('removal_pending', REMOVAL_GRANTS);

/** Grants that are active and not expired, of all developers, without those that a removal has killed and counted. */
export const keptActiveGrants = async (db: Queryable, now: Date): Promise<number> =>
  (await db.only(readActive, { now })).total;

/** Grants that a removal has killed and counted, that have not expired, and whose rows are still to be revoked. */
export const keptRemovalPending = async (db: Queryable, now: Date): Promise<number> =>
  (await db.only(readPending, { now })).total;

/** Anomalies without an acknowledgement, of all developers. */
export const keptUnacknowledged = async (db: Queryable): Promise<number> =>
  (await db.only(readUnacknowledged, {})).total;

/**
 * Adds at most `changes` changes to the totals, and moves each horizon towards `target`, a whole minute, past at most some
 * `rows` rows. Run it in a transaction.
 * @returns whether there is more to do; false also while another replica does it
 */
export async function foldTallies(
  tx: Queryable,
  { target, changes, rows }: { target: Date; changes: number; rows: number },
): Promise<boolean> {
  if (!(await tx.first(takeTurn, {}))) return false;
  const { taken } = await tx.only(add, { limit: changes });
  let more = taken === changes;
  for (const query of [advanceActive, advancePending])
    more = (await tx.only(query, { target, limit: rows })).more || more;
  return more;
}
