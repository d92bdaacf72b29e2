import { createBatch } from '../db/batch.ts';
import type { Queryable } from '../db/client.ts';
import { describeStatement } from '../telemetry/database.ts';

/** What a request for authorization asks for. */
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
  /** Stored for sandbox developers only. */
  readonly codeHash: Buffer;
  readonly codeExpiresAt: Date;
}

/** What the one statement found and did; `created` is false when anything stood in the way. */
export interface CreatedRequest {
  /** null: the API key is unknown. */
  readonly developerId: string | null;
  readonly mode: 'live' | 'sandbox' | null;
  /** null: no such agent of this developer. */
  readonly agentStatus: 'active' | 'suspended' | null;
  readonly scopesAllowed: boolean | null;
  readonly created: boolean;
}

const create = describeStatement({
  operation: 'INSERT',
  collection: 'authorization_requests',
  name: 'authorization.create',
  text: `with asked as materialized (
      select * from jsonb_to_recordset($1::text::jsonb) as asked (ordinal int, "keyHash" text, id text, "agentId" text,
        "principalId" text, scopes text[], "redirectUri" text, state text, audience text, "grantSeconds" int,
        "codeChallenge" text, "createdAt" timestamptz, "expiresAt" timestamptz, "codeHash" text,
        "codeExpiresAt" timestamptz)),
    developer as materialized (
      select asked.ordinal, developer.* from asked cross join lateral (
        select id, mode from developers where api_key_hash = decode(asked."keyHash", 'hex') limit 1) developer),
    agent as materialized (
      select asked.ordinal, agent.status, cardinality(agent.scopes) = 0 or asked.scopes <@ agent.scopes as scopes_allowed
      from asked join developer using (ordinal) cross join lateral (
        select status, scopes from agents where id = asked."agentId" and developer_id = developer.id limit 1) agent),
    created as (
      insert into authorization_requests (id, developer_id, agent_id, principal_id, scopes, redirect_uri, state, audience,
        grant_seconds, code_challenge, status, created_at, expires_at, code_hash, code_expires_at)
      select asked.id, developer.id, asked."agentId", asked."principalId", asked.scopes, asked."redirectUri", asked.state,
        asked.audience, asked."grantSeconds", asked."codeChallenge", 'pending', asked."createdAt", asked."expiresAt",
        case developer.mode when 'sandbox' then decode(asked."codeHash", 'hex') end,
        case developer.mode when 'sandbox' then asked."codeExpiresAt" end
      from asked join developer using (ordinal) join agent using (ordinal)
      where agent.status = 'active' and agent.scopes_allowed
      returning id)
    select developer.id as "developerId", developer.mode, agent.status as "agentStatus",
      agent.scopes_allowed as "scopesAllowed", created.id is not null as created
    from asked left join developer using (ordinal) left join agent using (ordinal) left join created on created.id = asked.id
    order by asked.ordinal`,
});

/** Looks up key and agent, checks the scopes and stores the request: one round trip. */
export type CreateRequest = (keyHash: Buffer, row: NewRequest) => Promise<CreatedRequest>;

/** Makes the one way to store requests; those that come together share a statement. */
export function createCreateRequest(db: Queryable): CreateRequest {
  const ask = createBatch<object, CreatedRequest>(db, create);
  return (keyHash, { codeHash, ...row }) =>
    ask({ ...row, keyHash: keyHash.toString('hex'), codeHash: codeHash.toString('hex') });
}
