// Counts of all rows of a developer. Each statement looks at a slice, so that none takes longer than a request may.
import { bigint, int, orNull, text, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import { removedAt } from '../grants/removal-marks-store.ts';

const few = query({
  operation: 'SELECT',
  collection: 'agents',
  name: 'compliance.agents_and_policies',
  text: `select (select count(*) from agents where developer_id = $developerId and removed_at is null and status = 'active')::int
        as active,
      (select count(*) from agents where developer_id = $developerId and removed_at is null and status = 'suspended')::int
        as suspended,
      (select count(*) from (
        select agent_id from removed_grants where developer_id = $developerId
        union select id from agents where developer_id = $developerId and removed_at is not null) removed)::int as revoked,
      (select count(*) from policies where developer_id = $developerId)::int as policies`,
  params: { developerId: text },
  row: { active: int, suspended: int, revoked: int, policies: int },
});
const grants = query({
  operation: 'SELECT',
  collection: 'grants',
  name: 'compliance.count_grants',
  text: `with slice as materialized (
      select id, issued_at, case when status = 'revoked' or ${removedAt('grants', '$developerId')} is not null then 'revoked'
        when expires_at <= $now then 'expired' else 'active' end as status
      from grants
      where developer_id = $developerId and (issued_at, id) > ($at::text::timestamptz, $id) and issued_at <= $until
      order by issued_at, id limit $limit)
    select count(*)::int as total, count(*) filter (where status = 'active')::int as active,
      count(*) filter (where status = 'revoked')::int as revoked, count(*) filter (where status = 'expired')::int as expired,
      (select issued_at::text from slice order by issued_at desc, id desc limit 1) as at,
      (select id from slice order by issued_at desc, id desc limit 1) as id
    from slice`,
  params: { developerId: text, at: text, id: text, until: timestamp, now: timestamp, limit: bigint },
  row: { total: int, active: int, revoked: int, expired: int, at: orNull(text), id: orNull(text) },
});
const entries = query({
  operation: 'SELECT',
  collection: 'audit_entries',
  name: 'compliance.count_entries',
  text: `with slice as materialized (
      select created_at, seq, status from audit_entries
      where developer_id = $developerId and (created_at, seq) > ($at::text::timestamptz, $seq) and created_at <= $until
      order by created_at, seq limit $limit)
    select count(*)::int as total, count(*) filter (where status = 'success')::int as success,
      count(*) filter (where status = 'failure')::int as failure, count(*) filter (where status = 'blocked')::int as blocked,
      (select created_at::text from slice order by created_at desc, seq desc limit 1) as at,
      (select seq::text from slice order by created_at desc, slice.seq desc limit 1) as seq
    from slice`,
  params: { developerId: text, at: text, seq: bigint, until: timestamp, limit: bigint },
  row: { total: int, success: int, failure: int, blocked: int, at: orNull(text), seq: orNull(text) },
});

/** The numbers of a developer's agents and policies now. `revoked`: agents that were removed. */
export const countFew = (
  db: Queryable,
  developerId: string,
): Promise<{ active: number; suspended: number; revoked: number; policies: number }> =>
  db.only(few, { developerId });

/** Counts by status a slice of the grants that were issued until a time, behind a position. */
export const countGrants = (
  db: Queryable,
  of: { developerId: string; at: string; id: string; until: Date; now: Date; limit: number },
) => db.only(grants, of);

/** Counts by status a slice of the audit entries that were written until a time, behind a position. */
export const countEntries = (
  db: Queryable,
  of: { developerId: string; at: string; seq: number; until: Date; limit: number },
) => db.only(entries, of);
