// The numbering of the feed (`feed/numbering-store.ts`): entries of grants and tokens, and those of whole agents.
import { bigint, bool, float, int, orNull, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import type { Look } from '../feed/keep-numbers.ts';
import { NEXT_SEQ, numberRows, takeNumberingTurn } from '../feed/numbering-store.ts';

const look = query({
  operation: 'SELECT',
  collection: 'feed_positions',
  name: 'revocations.look',
  text: `select last_seq::float8 as "lastSeq",
      extract(epoch from clock_timestamp() - least(
        (select written_at from revocation_outbox order by id limit 1),
        (select written_at from revocation_agents where expanded_by is null order by id limit 1)))::float8 as "waitingSeconds",
      exists (select from revocation_agents where expanded_by is not null) as "toRepeat"
    from feed_positions where feed = 'revocations'`,
  params: {},
  row: { lastSeq: float, waitingSeconds: orNull(float), toRepeat: bool },
});

// A second entry of a revoked grant is dropped. Its number stays unused.
const number = query({
  operation: 'INSERT',
  collection: 'revocation_entries',
  name: 'revocations.number',
  text: numberRows(
    'revocations',
    'revocation_outbox',
    `insert into revocation_entries (seq, developer_id, action, grant_id, jti, expires_at, at, written_at)
      select ${NEXT_SEQ}, developer_id, action, grant_id, jti, expires_at, at, written_at
      from taken, feed_positions where feed = 'revocations' and expires_at > $now
      on conflict (grant_id) where action = 'revoked' do nothing`,
  ),
  params: { limit: bigint, now: timestamp },
  row: { taken: int },
});

/**
 * Entries for living grants: $grants says which. What is revoked gets none, or a verifier would take it for resumed. Entries
 * of revoked grants that wait for their number get a higher one.
 */
const entriesOf = (grants: string) => `entries as (
      insert into revocation_entries (seq, developer_id, action, grant_id, expires_at, at, written_at)
      select last_seq + row_number() over (order by ${grants}.issued_at desc, ${grants}.id desc), change.developer_id,
        change.action, ${grants}.id, ${grants}.expires_at, change.at, change.written_at
      from change, ${grants}, feed_positions where feed = 'revocations' and ${grants}.status = 'active'
        and ${grants}.expires_at > $now
        and not exists (select from revocation_entries where grant_id = ${grants}.id and action = 'revoked')),
    moved as (
      update feed_positions set last_seq = last_seq + (select count(*) from ${grants})
      where feed = 'revocations' and exists (select from ${grants}))`;

// One change after the other, in their order: a resumption must not overtake the suspension of the same agent.
const expand = query({
  operation: 'INSERT',
  collection: 'revocation_entries',
  name: 'revocations.expand_agent',
  text: `with change as materialized (
      select * from revocation_agents where expanded_by is null order by id limit 1),
    found as materialized (
      select found.* from change cross join lateral (
        select grants.id, grants.status, grants.issued_at, grants.expires_at from grants
        where grants.developer_id = change.developer_id and grants.agent_id = change.agent_id
          and (grants.issued_at, grants.id) < (change.after_issued_at, change.after_id)
        order by grants.issued_at desc, grants.id desc limit $limit) found),
    ${entriesOf('found')},
    kept as (
      update revocation_agents set
        after_issued_at = coalesce((select issued_at from found order by issued_at, id limit 1), revocation_agents.after_issued_at),
        after_id = coalesce((select id from found order by issued_at, id limit 1), revocation_agents.after_id),
        expanded_by = case when (select count(*) from found) < $limit then pg_current_xact_id() end,
        expanded_at = case when (select count(*) from found) < $limit then clock_timestamp() end
      from change where revocation_agents.id = change.id)
    select count(*)::int as found from change`,
  params: { limit: bigint, now: timestamp },
  row: { found: int },
});

// A grant may have been made by a transaction that had seen the agent active and ended after the entries were made. Once all such
// transactions are over, the grants of the last minutes are looked at again. A long transaction of somebody else, a dump for
// example, delays this for some seconds only: those of requests end by their time limits. Resumed agents need no second look.
const repeat = query({
  operation: 'INSERT',
  collection: 'revocation_entries',
  name: 'revocations.repeat_agent',
  text: `with change as materialized (
      delete from revocation_agents where id = (
        select id from revocation_agents where expanded_by is not null
          and (action = 'resumed' or expanded_by < pg_snapshot_xmin(pg_current_snapshot())
            or expanded_at < clock_timestamp() - interval '15 seconds')
        order by id limit 1)
      returning *),
    late as materialized (
      select grants.id, grants.status, grants.issued_at, grants.expires_at from change join grants
        on grants.developer_id = change.developer_id and grants.agent_id = change.agent_id
      where change.action = 'suspended' and grants.issued_at > change.at - interval '10 minutes'
        and exists (select from agents where agents.id = change.agent_id and agents.status = 'suspended')
        and not exists (select from revocation_agents later where later.agent_id = change.agent_id and later.id > change.id)
        and coalesce((select entry.action from revocation_entries entry where entry.grant_id = grants.id
          and entry.action <> 'token_revoked' order by seq desc limit 1), 'resumed') = 'resumed'),
    ${entriesOf('late')}
    select count(*)::int as repeated from change`,
  params: { now: timestamp },
  row: { repeated: int },
});

const forget = query({
  operation: 'DELETE',
  collection: 'revocation_entries',
  name: 'revocations.forget_expired',
  text: `with gone as (
      delete from revocation_entries where seq = any(array(
        select seq from revocation_entries where expires_at <= $now order by expires_at limit $limit))
      returning seq)
    select count(*)::int as removed from gone`,
  params: { now: timestamp, limit: bigint },
  row: { removed: int },
});

/** Three looks into indexes, whatever the tables hold. `toRepeat`: suspensions wait for a second look. */
export const lookAtFeed = (db: Queryable): Promise<Look & { readonly toRepeat: boolean }> =>
  db.only(look, {});

/**
 * Numbers up to `limit` entries, and as many of an agent that was suspended or resumed. Run it in a transaction.
 * @returns whether there may be more; false also while another replica numbers
 */
export async function numberEntries(
  tx: Queryable,
  { limit, now }: { limit: number; now: Date },
): Promise<boolean> {
  if (!(await takeNumberingTurn(tx, 'revocations'))) return false;
  const { taken } = await tx.only(number, { limit, now });
  const { found } = await tx.only(expand, { limit, now });
  const { repeated } = await tx.only(repeat, { now });
  return taken === limit || found > 0 || repeated > 0;
}

/** Removes up to `limit` entries that nobody needs any more. @returns how many */
export const forgetExpired = async (db: Queryable, expired: { now: Date; limit: number }): Promise<number> =>
  (await db.only(forget, expired)).removed;
