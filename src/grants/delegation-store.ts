import { bool, bytes, int, orNull, text, textOf, texts, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import { ANY_ENQUEUED, deliveriesOfIssuance } from '../events/outbox-store.ts';
import type { NewToken } from '../grant-token/issue-token.ts';
import { removedAt } from './removal-marks-store.ts';
import { agentsFrom, tokenExpiry } from './token-parts-store.ts';

// The statement takes locks in one order: the sub-agent's row, the root of the tree, the parent. Each lock is part of
// the next condition, so the planner cannot reorder them. The share lock on the root keeps out revocations of the tree.
// The parent needs a lock, because only a locked row shows its current state rather than the state at the beginning of
// the statement.
const insert = query({
  operation: 'INSERT',
  collection: 'grants',
  name: 'grants.delegate',
  text: `with agent as materialized (
      select id, status from agents where developer_id = $developerId and id = $subAgentId and removed_at is null
      for key share),
    root as materialized (
      select root.id from grants named join grants root on root.id = named.root_grant_id
      where named.id = $parentGrantId and named.developer_id = $developerId and (select count(*) from agent) >= 0
      for share of root),
    parent as materialized (
      select grants.id, grants.agent_id, grants.principal_id, grants.audience, grants.scopes, grants.expires_at,
        grants.root_grant_id, grants.delegation_depth, $scopes::text[] <@ grants.scopes as scopes_allowed
      from grants join root on grants.root_grant_id = root.id join agents on agents.id = grants.agent_id
      where grants.id = $parentGrantId and grants.status = 'active' and grants.expires_at > $now and agents.status = 'active'
        and ${removedAt('grants', '$developerId')} is null
        and exists (select from tokens where jti = $parentJti and grant_id = $parentGrantId and revoked_at is null)
      for share of grants),
    granted as (
      insert into grants (id, developer_id, agent_id, principal_id, scopes, audience, status, issued_at, expires_at,
        parent_grant_id, root_grant_id, delegation_depth)
      select $grantId, $developerId, agent.id, parent.principal_id, $scopes::text[], parent.audience, 'active', $now,
        least(parent.expires_at, date_trunc('second', $now::timestamptz) + make_interval(secs => $grantSeconds::int)),
        parent.id, parent.root_grant_id, parent.delegation_depth + 1
      from parent, agent
      where agent.status = 'active' and parent.scopes_allowed and parent.delegation_depth < $maxDepth::int
      returning id, expires_at, delegation_depth),
    token as (
      insert into tokens (jti, grant_id, kid, expires_at)
      select $jti, id, $kid, ${tokenExpiry('expires_at', '$now::timestamptz', '$tokenSeconds::int')} from granted
      returning expires_at),
    refresh as (insert into refresh_tokens (hash, grant_id, agent_id, issued_at) select $refreshHash, id, $subAgentId, $now from granted),
    ${deliveriesOfIssuance({
      grantId: 'granted.id',
      developerId: '$developerId',
      agentId: '$subAgentId',
      principalId: 'parent.principal_id',
      scopes: '$scopes::text[]',
      expiresAt: 'granted.expires_at',
      tokenExpiresAt: 'token.expires_at',
      isNew: 'true',
      delegationDepth: 'granted.delegation_depth',
      parentGrantId: 'parent.id',
      jti: '$jti',
      now: '$now::timestamptz',
      traceparent: '$traceparent::text',
      maxAttempts: '$maxAttempts::int',
      from: 'granted, parent, token',
    })}
    select agent.status as "subAgentStatus", ${agentsFrom('parent.id')} as "parentAgentIds", parent.principal_id as "principalId",
      parent.audience, parent.scopes_allowed as "scopesAllowed", token.expires_at as "expiresAt",
      granted.expires_at as "grantExpiresAt",
      granted.delegation_depth::int as depth, ${ANY_ENQUEUED} as enqueued
    from (values (1)) as one (row) left join agent on true left join parent on true left join granted on true
      left join token on true`,
  params: {
    developerId: text,
    parentGrantId: text,
    parentJti: text,
    subAgentId: text,
    scopes: texts,
    now: timestamp,
    grantSeconds: int,
    maxDepth: int,
    grantId: text,
    jti: text,
    kid: text,
    refreshHash: bytes,
    tokenSeconds: int,
    traceparent: orNull(text),
    maxAttempts: int,
  },
  row: {
    subAgentStatus: orNull(textOf<'active' | 'suspended'>()),
    parentAgentIds: orNull(texts),
    principalId: orNull(text),
    audience: orNull(text),
    scopesAllowed: orNull(bool),
    expiresAt: orNull(timestamp),
    grantExpiresAt: orNull(timestamp),
    depth: orNull(int),
    enqueued: bool,
  },
});

/** The result of the one statement; the times and `depth` are null when it made no grant. */
export interface DelegationRow {
  /** null: the developer has no such agent. */
  readonly subAgentStatus: 'active' | 'suspended' | null;
  /** The parent's agent and those above it; null: the parent grant or its token is not active. */
  readonly parentAgentIds: readonly string[] | null;
  readonly principalId: string | null;
  readonly audience: string | null;
  readonly scopesAllowed: boolean | null;
  /** Of the token. */
  readonly expiresAt: Date | null;
  readonly grantExpiresAt: Date | null;
  readonly depth: number | null;
  /** The statement wrote webhook deliveries. */
  readonly enqueued: boolean;
}

/** The content of a delegation request. */
export interface Delegation extends NewToken {
  readonly developerId: string;
  readonly parentGrantId: string;
  readonly parentJti: string;
  readonly subAgentId: string;
  readonly scopes: readonly string[];
  readonly now: Date;
  readonly grantSeconds: number;
  readonly maxDepth: number;
  readonly grantId: string;
}

/** Checks the parent and makes the grant, its token and its refresh token. All of this happens, or none of it. */
export const insertDelegation = (db: Queryable, delegation: Delegation): Promise<DelegationRow> =>
  db.only(insert, delegation);
