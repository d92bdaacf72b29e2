// The rows of a removed agent, once its grants are revoked: they go in small statements, each of which adds to the tally what it
// takes away, so that counters remain explainable.
import { bigint, int, text } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import { timed } from '../db/removed-counts.ts';

const params = { developerId: text, agentId: text, limit: bigint };
const row = { removed: int };
/**
 * @param counts SQL for each number that the tally keeps, over the rows of `gone`; absent: 0
 * @param times selects of the same numbers with the time of each row
 */
const tallied = (
  counts: Partial<Record<'consented' | 'delegated' | 'revoked' | 'requested' | 'refreshed', string>>,
  times: readonly string[],
) => {
  const of = (name: keyof typeof counts) => counts[name] ?? '0';
  return `${timed(times.join(' union all '))},
    tallied as (
      insert into removed_grants (agent_id, developer_id, removed_at, consented, delegated, revoked, requested, refreshed)
      select $agentId, $developerId, now(), ${of('consented')}, ${of('delegated')}, ${of('revoked')}, ${of('requested')},
        ${of('refreshed')} from gone having count(*) > 0
      on conflict (agent_id) do update set removed_at = excluded.removed_at,
        consented = removed_grants.consented + excluded.consented, delegated = removed_grants.delegated + excluded.delegated,
        revoked = removed_grants.revoked + excluded.revoked, requested = removed_grants.requested + excluded.requested,
        refreshed = removed_grants.refreshed + excluded.refreshed)
    select count(*)::int as removed from gone`;
};

const refreshTokens = query({
  operation: 'DELETE',
  collection: 'refresh_tokens',
  name: 'removals.purge_refresh_tokens',
  text: `with gone as (
      delete from refresh_tokens where hash = any(array(
        select hash from refresh_tokens where agent_id = $agentId order by issued_at limit $limit))
      returning predecessor, issued_at, repeats),
    ${tallied({ refreshed: 'coalesce(sum(1 + repeats) filter (where predecessor is not null), 0)' }, [
      "select 'refreshed', issued_at, 1 + repeats from gone where predecessor is not null",
    ])}`,
  params,
  row,
});
const requests = query({
  operation: 'DELETE',
  collection: 'authorization_requests',
  name: 'removals.purge_requests',
  text: `with gone as (
      delete from authorization_requests where id = any(array(
        select id from authorization_requests where agent_id = $agentId order by created_at limit $limit))
      returning created_at),
    ${tallied({ requested: 'count(*)' }, ["select 'requested', created_at, 1 from gone"])}`,
  params,
  row,
});
/** The grants whose turn it is. Another removal may still have to revoke some of them; they wait for it. */
const SOME_GRANTS = (limit: string) => `select id from grants
          where developer_id = $developerId and agent_id = $agentId and status = 'revoked'
          order by issued_at desc, id desc limit ${limit}`;
const tokens = query({
  operation: 'DELETE',
  collection: 'tokens',
  name: 'removals.purge_tokens',
  text: `with gone as (
      delete from tokens where jti = any(array(
        select jti from tokens where grant_id = any(array(${SOME_GRANTS('$grants')})) limit $limit))
      returning jti)
    select count(*)::int as removed from gone`,
  params: { ...params, grants: bigint },
  row,
});
const grants = query({
  operation: 'DELETE',
  collection: 'grants',
  name: 'removals.purge_grants',
  text: `with gone as (
      delete from grants where id = any(array(${SOME_GRANTS('$limit')})) returning parent_grant_id, status, issued_at,
        revoked_at),
    ${tallied(
      {
        consented: 'count(*) filter (where parent_grant_id is null)',
        delegated: 'count(parent_grant_id)',
        revoked: `count(*) filter (where status = 'revoked')`,
      },
      [
        "select case when parent_grant_id is null then 'consented' else 'delegated' end, issued_at, 1 from gone",
        "select 'revoked', revoked_at, 1 from gone where status = 'revoked'",
      ],
    )}`,
  params,
  row,
});
const finish = query({
  operation: 'DELETE',
  collection: 'agents',
  name: 'removals.finish',
  text: `with gone as (
      delete from agents where id = $agentId
        and not exists (select from grants where developer_id = $developerId and agent_id = $agentId)
      returning id)
    update removals set finished_at = clock_timestamp() from gone where removals.id = $id::text::bigint returning removals.id::text as id`,
  params: { id: text, developerId: text, agentId: text },
  row: { id: text },
});

/**
 * Removes up to `limit` rows of the agent: first its refresh tokens, then its requests, then tokens and grants, a few grants at
 * a time, and the agent itself at last.
 * @returns false when nothing could be done: what is left waits for another removal
 */
export async function purgeAgent(
  tx: Queryable,
  removal: { id: string; developerId: string; agentId: string },
  limit: number,
): Promise<boolean> {
  const { id, developerId, agentId } = removal;
  const agent = { developerId, agentId };
  const some = Math.ceil(limit / 4);
  for (const query of [refreshTokens, requests])
    if ((await tx.only(query, { ...agent, limit })).removed > 0) return true;
  const { removed } = await tx.only(tokens, { ...agent, limit, grants: some });
  if (removed === limit) return true;
  if ((await tx.only(grants, { ...agent, limit: some })).removed > 0) return true;
  return (await tx.first(finish, { id, ...agent })) !== undefined;
}
