import type { Queryable } from '../db/queryable.ts';
import type { NewToken } from '../grant-token/issue-token.ts';
import { describeStatement } from '../telemetry/database.ts';
import { ENQUEUED, TELL_OF_ISSUANCE } from '../webhooks/outbox-store.ts';

// The locks are taken in one order: the sub-agent's row, the root of the tree, the parent. Each is part of the next
// one's condition, so that the planner cannot reorder them. The root's share lock keeps revocations of the tree out; the
// parent is read under a lock because only a locked row is read as it is now rather than as it was when we began.
const insert = describeStatement({
  operation: 'INSERT',
  collection: 'grants',
  name: 'grants.delegate',
  text: `with agent as materialized (
      select id, status from agents where developer_id = $1 and id = $4 for key share),
    root as materialized (
      select root.id from grants named join grants root on root.id = named.root_grant_id
      where named.id = $2 and named.developer_id = $1 and (select count(*) from agent) >= 0
      for share of root),
    parent as materialized (
      select grants.id, grants.agent_id, grants.principal_id, grants.audience, grants.scopes, grants.expires_at,
        grants.root_grant_id, grants.delegation_depth, $5::text[] <@ grants.scopes as scopes_allowed
      from grants join root on grants.root_grant_id = root.id join agents on agents.id = grants.agent_id
      where grants.id = $2 and grants.status = 'active' and grants.expires_at > $6 and agents.status = 'active'
        and exists (select from tokens where jti = $3 and grant_id = $2 and revoked_at is null)
      for share of grants),
    granted as (
      insert into grants (id, developer_id, agent_id, principal_id, scopes, audience, status, issued_at, expires_at,
        parent_grant_id, root_grant_id, delegation_depth)
      select $9, $1, agent.id, parent.principal_id, $5::text[], parent.audience, 'active', $6,
        least(parent.expires_at, date_trunc('second', $6::timestamptz) + make_interval(secs => $7::int)),
        parent.id, parent.root_grant_id, parent.delegation_depth + 1
      from parent, agent
      where agent.status = 'active' and parent.scopes_allowed and parent.delegation_depth < $8::int
      returning id, expires_at, delegation_depth),
    token as (insert into tokens (jti, grant_id, kid, expires_at) select $10, id, $11, expires_at from granted),
    refresh as (insert into refresh_tokens (hash, grant_id, agent_id, issued_at) select $12, id, $4, $6 from granted),
    issuance as (
      select granted.id as grant_id, $1 as developer_id, $4 as agent_id, parent.principal_id, $5::text[] as scopes,
        granted.expires_at, true as is_new, granted.delegation_depth, parent.id as parent_grant_id, $10 as jti,
        $6::timestamptz as now, $13::text as traceparent, $14::int as max_attempts
      from granted, parent),
    ${TELL_OF_ISSUANCE}
    select agent.status as "subAgentStatus", parent.agent_id as "parentAgentId", parent.principal_id as "principalId",
      parent.audience, parent.scopes_allowed as "scopesAllowed", granted.expires_at as "expiresAt",
      granted.delegation_depth as depth, ${ENQUEUED}
    from (values (1)) as one (row) left join agent on true left join parent on true left join granted on true`,
});

/** What the one statement found; `expiresAt` and `depth` are null when no grant was made. */
export interface DelegationRow {
  /** null: no such agent of this developer. */
  readonly subAgentStatus: 'active' | 'suspended' | null;
  /** null: the parent grant or its token is not alive. */
  readonly parentAgentId: string | null;
  readonly principalId: string | null;
  readonly audience: string | null;
  readonly scopesAllowed: boolean | null;
  readonly expiresAt: Date | null;
  readonly depth: number | null;
  /** Webhook deliveries were written. */
  readonly enqueued: boolean;
}

/** Checks the parent and makes the grant, its token and refresh token; all of it or nothing. */
export async function insertDelegation(
  db: Queryable,
  row: {
    developerId: string;
    parentGrantId: string;
    parentJti: string;
    subAgentId: string;
    scopes: readonly string[];
    now: Date;
    grantSeconds: number;
    maxDepth: number;
    grantId: string;
  } & NewToken,
): Promise<DelegationRow> {
  const [found] = await db.rows<DelegationRow>(insert, [
    row.developerId,
    row.parentGrantId,
    row.parentJti,
    row.subAgentId,
    row.scopes,
    row.now,
    row.grantSeconds,
    row.maxDepth,
    row.grantId,
    row.jti,
    row.kid,
    row.refreshHash,
    row.traceparent,
    row.maxAttempts,
  ]);
  if (!found) throw new Error('the statement returned no row');
  return found;
}
