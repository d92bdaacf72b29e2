import { createBatch } from '../db/batch.ts';
import type { Queryable } from '../db/queryable.ts';
import type { NewToken } from '../grant-token/issue-token.ts';
import { describeStatement } from '../telemetry/database.ts';
import { ENQUEUED, TELL_OF_ISSUANCE } from '../webhooks/outbox-store.ts';
import { CALLERS, type Issued, type IssuedRow, toIssued } from './issued-store.ts';

/** A code that is presented, and what is stored when it holds. */
export interface CodeClaim extends NewToken {
  readonly keyHash: Buffer;
  readonly agentId: string;
  readonly codeHash: Buffer;
  readonly codeChallenge: string | null;
  readonly now: Date;
  readonly grantId: string;
}

// Of several that present one code in one batch, the first whose claim holds is let through. What a decision at the same
// moment may change is asked again of the row as it is when it is claimed: the code, too, for a decision replaces it.
const exchange = describeStatement({
  operation: 'UPDATE',
  collection: 'authorization_requests',
  name: 'tokens.exchange_code',
  text: `with asked as materialized (
      select * from jsonb_to_recordset($1::text::jsonb) as asked (ordinal int, "keyHash" text, "agentId" text,
        "codeHash" text, "codeChallenge" text, now timestamptz, "grantId" text, jti text, kid text, "refreshHash" text,
        traceparent text, "maxAttempts" int)),
    ${CALLERS},
    matching as materialized (
      select distinct on (request.id) request.id, asked.ordinal
      from asked join agent using (ordinal) cross join lateral (
        select * from authorization_requests where code_hash = decode(asked."codeHash", 'hex') limit 1) request
      where request.developer_id = agent.developer_id and request.agent_id = agent.id and agent.status = 'active'
        and request.exchanged_at is null and request.status <> 'denied' and request.code_expires_at > asked.now
        and request.code_challenge is not distinct from asked."codeChallenge"
      order by request.id, asked.ordinal),
    claimed as (
      update authorization_requests request set exchanged_at = asked.now, grant_id = asked."grantId"
      from matching join asked using (ordinal)
      where request.id = matching.id and request.exchanged_at is null and request.status <> 'denied'
        and request.code_hash = decode(asked."codeHash", 'hex')
      returning asked.ordinal, request.developer_id, request.agent_id, request.principal_id, request.scopes,
        request.audience, request.grant_seconds),
    granted as (
      insert into grants (id, developer_id, agent_id, principal_id, scopes, audience, status, issued_at, expires_at,
        root_grant_id, delegation_depth)
      select asked."grantId", developer_id, agent_id, principal_id, scopes, audience, 'active', asked.now,
        date_trunc('second', asked.now) + make_interval(secs => grant_seconds), asked."grantId", 0
      from claimed join asked using (ordinal)
      returning id, developer_id, agent_id, principal_id, audience, scopes, expires_at),
    token as (
      insert into tokens (jti, grant_id, kid, expires_at)
      select asked.jti, granted.id, asked.kid, granted.expires_at from granted join asked on asked."grantId" = granted.id),
    refresh as (
      insert into refresh_tokens (hash, grant_id, agent_id, issued_at)
      select decode(asked."refreshHash", 'hex'), granted.id, granted.agent_id, asked.now
      from granted join asked on asked."grantId" = granted.id),
    issuance as (
      select granted.id as grant_id, developer_id, agent_id, principal_id, scopes, expires_at, true as is_new,
        0 as delegation_depth, null::text as parent_grant_id, asked.jti, asked.now, asked.traceparent,
        asked."maxAttempts" as max_attempts
      from granted join asked on asked."grantId" = granted.id),
    ${TELL_OF_ISSUANCE}
    select developer.id as "developerId", agent.id as "agentId", granted.id as "grantId",
      granted.principal_id as "principalId", granted.audience, granted.scopes, granted.expires_at as "expiresAt",
      null as "parentAgentId", null as "parentGrantId", 0 as "delegationDepth", ${ENQUEUED}
    from asked left join developer using (ordinal) left join agent using (ordinal)
      left join granted on granted.id = asked."grantId"
    order by asked.ordinal`,
});

/**
 * Claims a code and makes its grant, token and refresh token; all of it or nothing, in one round trip. Of callers that
 * present one code at the same time the claim lets exactly one through: the others wait for its row and then find it used.
 */
export type ClaimCode = (claim: CodeClaim) => Promise<Issued>;

/** Makes the one way to claim codes; claims that come together share a statement. */
export function createClaimCode(db: Queryable): ClaimCode {
  const ask = createBatch<object, IssuedRow>(db, exchange);
  return async ({ keyHash, codeHash, refreshHash, ...claim }) =>
    toIssued(
      await ask({
        ...claim,
        keyHash: keyHash.toString('hex'),
        codeHash: codeHash.toString('hex'),
        refreshHash: refreshHash.toString('hex'),
      }),
    );
}

const usedCode = describeStatement({
  operation: 'SELECT',
  collection: 'authorization_requests',
  name: 'tokens.grant_of_used_code',
  text: `select grant_id as "grantId" from authorization_requests
    where code_hash = $2 and developer_id = $1 and exchanged_at is not null`,
});

/** The grant that a code of this developer was exchanged for, if it was. */
export async function grantOfUsedCode(
  db: Queryable,
  developerId: string,
  codeHash: Buffer,
): Promise<string | null> {
  const [row] = await db.rows<{ grantId: string }>(usedCode, [developerId, codeHash]);
  return row?.grantId ?? null;
}
