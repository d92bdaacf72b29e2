import type { AgentStatus } from '../agents/store.ts';
import { createBatch } from '../db/batch.ts';
import type { Queryable } from '../db/queryable.ts';
import { describeStatement } from '../telemetry/database.ts';

/** What the database knows of a token that is to be verified, and of the caller that asks. */
export interface TokenState {
  /** null: the API key is unknown. */
  readonly callerId: string | null;
  /** null: no such token, or none was asked for. */
  readonly ownerId: string | null;
  readonly grantId: string | null;
  readonly agentId: string | null;
  readonly agentStatus: AgentStatus | null;
  readonly grantRevoked: boolean | null;
  readonly tokenRevoked: boolean | null;
  readonly grantExpiresAt: Date | null;
}

const states = describeStatement({
  operation: 'SELECT',
  collection: 'tokens',
  name: 'tokens.states',
  text: `select developers.id as "callerId", grants.developer_id as "ownerId", grants.id as "grantId",
      grants.agent_id as "agentId", agents.status as "agentStatus", grants.status = 'revoked' as "grantRevoked",
      tokens.revoked_at is not null as "tokenRevoked", grants.expires_at as "grantExpiresAt"
    from jsonb_to_recordset($1::text::jsonb) as asked (ordinal int, "keyHash" text, jti text)
      left join lateral (
        select id from developers where api_key_hash = decode(asked."keyHash", 'hex') limit 1) developers on true
      left join lateral (select grant_id, revoked_at from tokens where jti = asked.jti limit 1) tokens on true
      left join lateral (select * from grants where id = tokens.grant_id limit 1) grants on true
      left join lateral (select status from agents where id = grants.agent_id limit 1) agents on true
    order by asked.ordinal`,
});

/** Asks for the state of a token; nothing is remembered between two questions. */
export type LoadTokenState = (keyHash: Buffer, jti: string | null) => Promise<TokenState>;

/** Makes the one way to look up tokens; questions that come together share a statement. */
export function createLoadTokenState(db: Queryable): LoadTokenState {
  const ask = createBatch<{ keyHash: string; jti: string | null }, TokenState>(db, states);
  return (keyHash, jti) => ask({ keyHash: keyHash.toString('hex'), jti });
}

const revoke = describeStatement({
  operation: 'UPDATE',
  collection: 'tokens',
  name: 'tokens.revoke',
  text: `update tokens set revoked_at = $3 from grants
    where tokens.jti = $2 and grants.id = tokens.grant_id and grants.developer_id = $1 and tokens.revoked_at is null
    returning tokens.jti`,
});

/** @returns false when the token is unknown, another developer's, or revoked already */
export async function revokeToken(
  db: Queryable,
  developerId: string,
  jti: string,
  now: Date,
): Promise<boolean> {
  return (await db.rows(revoke, [developerId, jti, now])).length === 1;
}

const status = describeStatement({
  operation: 'SELECT',
  collection: 'grants',
  name: 'tokens.revocation_status',
  text: `select grants.status = 'revoked' or tokens.revoked_at is not null as revoked, agents.status as "agentStatus",
      grants.expires_at as "expiresAt"
    from grants join agents on agents.id = grants.agent_id
      left join tokens on tokens.grant_id = grants.id and tokens.jti = $3
    where grants.developer_id = $1 and ($2::text is null or grants.id = $2) and ($3::text is null or tokens.jti is not null)
      and grants.id = coalesce($2, (select grant_id from tokens where jti = $3))`,
});

export interface RevocationRow {
  readonly revoked: boolean;
  readonly agentStatus: AgentStatus;
  readonly expiresAt: Date;
}

/** The grant and the token that are named, together; undefined when either is unknown or they do not belong together. */
export async function revocationRow(
  db: Queryable,
  developerId: string,
  named: { grantId: string | null; jti: string | null },
): Promise<RevocationRow | undefined> {
  const [row] = await db.rows<RevocationRow>(status, [developerId, named.grantId, named.jti]);
  return row;
}
