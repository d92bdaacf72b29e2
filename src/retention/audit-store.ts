// Audit entries go as whole prefixes of their chains, each up to a signed checkpoint. First the checkpoint becomes the beginning
// of the chain, in one small statement. The entries up to it go after that, some at a time.
import { bigint, bool, int, orNull, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';

// The times of a chain never go back, so all entries up to an old checkpoint are old.
const prefixes = query({
  operation: 'INSERT',
  collection: 'audit_prefixes',
  name: 'retention.audit_prefixes',
  text: `with due as materialized (
      select developer_id, seq, hash, entry_at from audit_checkpoints
      where not is_prefix and entry_at < $before order by entry_at limit $limit),
    latest as materialized (
      select distinct on (developer_id) developer_id, seq, hash, entry_at from due order by developer_id, seq desc),
    marked as (
      update audit_checkpoints one set is_prefix = true from latest
      where one.developer_id = latest.developer_id and one.seq = latest.seq),
    older as (
      delete from audit_checkpoints one using latest
      where one.developer_id = latest.developer_id and one.seq < latest.seq),
    moved as (
      insert into audit_prefixes (developer_id, hash, created_at, removed, seq, pending)
      select developer_id, hash, entry_at, 0, seq, true from latest order by developer_id
      on conflict (developer_id) do update set hash = excluded.hash, created_at = excluded.created_at, seq = excluded.seq,
        pending = true)
    select count(*)::int as due from due`,
  params: { before: timestamp, limit: bigint },
  row: { due: int },
});
const entries = query({
  operation: 'DELETE',
  collection: 'audit_entries',
  name: 'retention.audit_entries',
  text: `with prefix as materialized (
      select developer_id, seq from audit_prefixes where pending order by developer_id limit 1 for update skip locked),
    due as materialized (
      select entry.seq from prefix cross join lateral (
        select audit_entries.seq from audit_entries
        where audit_entries.developer_id = prefix.developer_id and audit_entries.seq <= prefix.seq
        order by audit_entries.seq limit $limit) entry),
    gone as (delete from audit_entries where seq = any(array(select seq from due)) returning seq),
    counted as (
      update audit_prefixes one set removed = one.removed + (select count(*) from gone),
        pending = (select count(*) from due) = $limit
      from prefix where one.developer_id = prefix.developer_id)
    select (select count(*) from gone)::int as removed, (select count(*) from prefix) > 0 as found`,
  params: { limit: bigint },
  row: { removed: int, found: bool },
});
const oldest = query({
  operation: 'SELECT',
  collection: 'audit_checkpoints',
  name: 'retention.oldest_audit',
  text: `select least(
      (select entry_at from audit_checkpoints where not is_prefix order by entry_at limit 1),
      (select created_at from audit_prefixes where pending order by developer_id limit 1)) as oldest`,
  params: {},
  row: { oldest: orNull(timestamp) },
});

/**
 * Lets chains begin behind their last checkpoint of an entry older than `before`; looks at `limit` checkpoints.
 * @returns whether there may be more
 */
export async function movePrefixes(db: Queryable, of: { before: Date; limit: number }): Promise<boolean> {
  return (await db.only(prefixes, of)).due === of.limit;
}

/** Removes at most `limit` entries before the beginning of a chain. `found`: there was such a chain. */
export const removeAuditEntries = (
  db: Queryable,
  limit: number,
): Promise<{ removed: number; found: boolean }> => db.only(entries, { limit });

/** The time of the oldest entries that can go once they are old enough; null: there are none. */
export const oldestRemovable = async (db: Queryable): Promise<Date | null> =>
  (await db.only(oldest, {})).oldest;
