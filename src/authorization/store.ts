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
  text: `with developer as materialized (select id, mode from developers where api_key_hash = $1),
    agent as materialized (
      select agents.id, status, (cardinality(scopes) = 0 or $5::text[] <@ scopes) as scopes_allowed
      from agents join developer on agents.developer_id = developer.id where agents.id = $3),
    created as (
      insert into authorization_requests (id, developer_id, agent_id, principal_id, scopes, redirect_uri, state, audience,
        grant_seconds, code_challenge, status, created_at, expires_at, code_hash, code_expires_at)
      select $2, developer.id, agent.id, $4, $5::text[], $6, $7, $8, $9, $10, 'pending', $11, $12,
        case developer.mode when 'sandbox' then $13::bytea end, case developer.mode when 'sandbox' then $14::timestamptz end
      from developer, agent where agent.status = 'active' and agent.scopes_allowed
      returning id)
    select developer.id as "developerId", developer.mode, agent.status as "agentStatus",
      agent.scopes_allowed as "scopesAllowed", created.id is not null as created
    from (values (1)) as one (row) left join developer on true left join agent on true left join created on true`,
});

/** Looks up key and agent, checks the scopes and stores the request: one round trip. */
export async function createRequest(
  db: Queryable,
  keyHash: Buffer,
  row: NewRequest,
): Promise<CreatedRequest> {
  const [result] = await db.rows<CreatedRequest>(create, [
    keyHash,
    row.id,
    row.agentId,
    row.principalId,
    row.scopes,
    row.redirectUri,
    row.state,
    row.audience,
    row.grantSeconds,
    row.codeChallenge,
    row.createdAt,
    row.expiresAt,
    row.codeHash,
    row.codeExpiresAt,
  ]);
  if (!result) throw new Error('the statement returned no row');
  return result;
}
