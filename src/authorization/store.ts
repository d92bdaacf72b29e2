import type { Developer, KeyHolder } from '../caller.ts';
import type { Database } from '../db/client.ts';
import { bool, bytes, int, orNull, text, textOf, texts, timestamp } from '../db/column-types.ts';
import { batchQuery } from '../db/query.ts';
import { ownerOfKey } from '../developers/key-owner-store.ts';
import type { PolicyEffect } from '../policies/store.ts';

/** The content of a request for authorization. */
export interface NewRequest {
  readonly id: string;
  readonly agentId: string;
  readonly principalId: string;
  readonly scopes: readonly string[];
  readonly redirectUri: string | null;
  readonly state: string | null;
  readonly audience: string | null;
  readonly grantSeconds: number;
  readonly codeChallenge: string | null;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  /** Stored for sandbox developers and for requests that a policy allows. */
  readonly codeHash: Buffer;
  readonly codeExpiresAt: Date;
}

type AgentStatus = 'active' | 'suspended';

/**
 * The result of the one statement. It stores the request when an active agent may ask for the scopes and no policy
 * denies it.
 */
export interface CreatedRequest {
  /** null: the API key is unknown. */
  readonly developerId: string | null;
  readonly mode: Developer['mode'] | null;
  /** null: the developer has no such agent. */
  readonly agentStatus: AgentStatus | null;
  readonly scopesAllowed: boolean | null;
  /** The policy that decides; null: no policy matches. */
  readonly policyId: string | null;
  readonly policyEffect: PolicyEffect | null;
}

/** The time of day at which the request is made. */
const NOW = `(asked."createdAt" at time zone 'UTC')::time`;
/** An open side of the window means midnight. */
const START = `coalesce(time_of_day_start, time '00:00')`;
const END = `coalesce(time_of_day_end, time '24:00')`;
/**
 * A window that does not end after it begins crosses midnight. A window whose end equals its beginning covers the whole
 * day.
 */
const IN_WINDOW = `case when ${START} < ${END} then ${NOW} >= ${START} and ${NOW} < ${END}
          else ${NOW} >= ${START} or ${NOW} < ${END} end`;

/**
 * A permission matches when it covers every scope of the request. A prohibition matches when it names any of them: one more
 * scope must not defeat it.
 */
const SCOPES_MATCH = `(policies.scopes is null or case effect when 'deny' then asked.scopes && policies.scopes
            else asked.scopes <@ policies.scopes end)`;

// Policies decide only on requests that could otherwise be stored. The caller first learns what is wrong with the
// request.
const create = batchQuery({
  operation: 'INSERT',
  collection: 'authorization_requests',
  name: 'authorization.create',
  question: {
    keyHash: bytes,
    id: text,
    agentId: text,
    principalId: text,
    scopes: texts,
    redirectUri: orNull(text),
    state: orNull(text),
    audience: orNull(text),
    grantSeconds: int,
    codeChallenge: orNull(text),
    createdAt: timestamp,
    expiresAt: timestamp,
    codeHash: bytes,
    codeExpiresAt: timestamp,
  },
  row: {
    developerId: orNull(text),
    mode: orNull(textOf<Developer['mode']>()),
    agentStatus: orNull(textOf<AgentStatus>()),
    scopesAllowed: orNull(bool),
    policyId: orNull(text),
    policyEffect: orNull(textOf<PolicyEffect>()),
  },
  text: (asked) => `with ${asked},
    developer as materialized (
      select asked.ordinal, developer.* from asked cross join lateral (
        select id, mode from developers where id = (${ownerOfKey('asked."keyHash"')}) limit 1) developer),
    agent as materialized (
      select asked.ordinal, agent.status, cardinality(agent.scopes) = 0 or asked.scopes <@ agent.scopes as scopes_allowed
      from asked join developer using (ordinal) cross join lateral (
        select status, scopes from agents where id = asked."agentId" and developer_id = developer.id and removed_at is null
        limit 1) agent),
    policy as materialized (
      select asked.ordinal, policy.* from asked join developer using (ordinal) join agent using (ordinal) cross join lateral (
        select policies.id, effect from policies
        where policies.developer_id = developer.id and (agent_id is null or agent_id = asked."agentId")
          and (principal_id is null or principal_id = asked."principalId")
          and ${SCOPES_MATCH} and ${IN_WINDOW}
        order by effect = 'deny' desc, priority desc, created_at, policies.id limit 1) policy
      where agent.status = 'active' and agent.scopes_allowed),
    created as (
      insert into authorization_requests (id, developer_id, agent_id, principal_id, scopes, redirect_uri, state, audience,
        grant_seconds, code_challenge, status, created_at, expires_at, code_hash, code_expires_at)
      select asked.id, developer.id, asked."agentId", asked."principalId", asked.scopes, asked."redirectUri", asked.state,
        asked.audience, asked."grantSeconds", asked."codeChallenge",
        case policy.effect when 'allow' then 'approved' else 'pending' end, asked."createdAt", asked."expiresAt",
        case when policy.effect = 'allow' or developer.mode = 'sandbox' then asked."codeHash" end,
        case when policy.effect = 'allow' or developer.mode = 'sandbox' then asked."codeExpiresAt" end
      from asked join developer using (ordinal) join agent using (ordinal) left join policy using (ordinal)
      where agent.status = 'active' and agent.scopes_allowed and policy.effect is distinct from 'deny')
    select developer.id as "developerId", developer.mode, agent.status as "agentStatus",
      agent.scopes_allowed as "scopesAllowed", policy.id as "policyId", policy.effect as "policyEffect"
    from asked left join developer using (ordinal) left join agent using (ordinal) left join policy using (ordinal)
    order by asked.ordinal`,
});

/**
 * Looks up key and agent, checks the scopes, evaluates the policies and stores the request, in one round trip. Among
 * matching policies, denials come before permissions, then the greatest priority, then the oldest policy. An allowing
 * policy stores the request as approved. A denying policy stores nothing.
 */
export const createRequest = (
  db: Pick<Database, 'ask'>,
  request: NewRequest & KeyHolder,
): Promise<CreatedRequest> => db.ask(create, request);
