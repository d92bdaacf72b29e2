import type { Database } from '../db/client.ts';
import { bool, bytes, int, orNull, text, textOf, timestamp } from '../db/column-types.ts';
import { batchQuery, query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import { ANY_ENQUEUED, deliveriesOfIssuance } from '../events/outbox-store.ts';
import type { NewToken } from '../grant-token/issue-token.ts';
import { tokenExpiry } from '../grants/token-parts-store.ts';
import { callersOf, type Issued, issuedRow, toIssued } from './issued-store.ts';

/** A presented code, and the content to store if it is valid. */
export interface CodeClaim extends NewToken {
  readonly keyHash: Buffer;
  readonly agentId: string;
  readonly codeHash: Buffer;
  readonly codeChallenge: string | null;
  readonly now: Date;
  readonly grantId: string;
}

// When several questions of one batch present the same code, the first valid one gets it. The update repeats the
// conditions that a concurrent decision may have changed. The code is one of them, because a decision replaces it.
const exchange = batchQuery({
  operation: 'UPDATE',
  collection: 'authorization_requests',
  name: 'tokens.exchange_code',
  question: {
    keyHash: bytes,
    agentId: text,
    codeHash: bytes,
    codeChallenge: orNull(text),
    now: timestamp,
    grantId: text,
    jti: text,
    kid: text,
    refreshHash: bytes,
    tokenSeconds: int,
    traceparent: orNull(text),
    maxAttempts: int,
  },
  row: issuedRow,
  text: (asked) => `with ${asked},
    ${callersOf('asked')},
    matching as materialized (
      select distinct on (request.id) request.id, asked.ordinal
      from asked join agent using (ordinal) cross join lateral (
        select * from authorization_requests where code_hash = asked."codeHash" limit 1) request
      where request.developer_id = agent.developer_id and request.agent_id = agent.id and agent.status = 'active'
        and request.exchanged_at is null and request.status <> 'denied' and request.code_expires_at > asked.now
        and request.code_challenge is not distinct from asked."codeChallenge"
      order by request.id, asked.ordinal),
    claimed as (
      update authorization_requests request set exchanged_at = asked.now, grant_id = asked."grantId"
      from matching join asked using (ordinal)
      where request.id = matching.id and request.exchanged_at is null and request.status <> 'denied'
        and request.code_hash = asked."codeHash"
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
      select asked.jti, granted.id, asked.kid, ${tokenExpiry('granted.expires_at', 'asked.now', 'asked."tokenSeconds"')}
      from granted join asked on asked."grantId" = granted.id
      returning jti, expires_at),
    refresh as (
      insert into refresh_tokens (hash, grant_id, agent_id, issued_at)
      select asked."refreshHash", granted.id, granted.agent_id, asked.now
      from granted join asked on asked."grantId" = granted.id),
    ${deliveriesOfIssuance({
      grantId: 'granted.id',
      developerId: 'developer_id',
      agentId: 'agent_id',
      principalId: 'principal_id',
      scopes: 'scopes',
      expiresAt: 'granted.expires_at',
      tokenExpiresAt: 'token.expires_at',
      isNew: 'true',
      delegationDepth: '0',
      parentGrantId: 'null::text',
      jti: 'asked.jti',
      now: 'asked.now',
      traceparent: 'asked.traceparent',
      maxAttempts: 'asked."maxAttempts"',
      from: 'granted join asked on asked."grantId" = granted.id join token on token.jti = asked.jti',
    })}
    select developer.id as "developerId", agent.id as "agentId", granted.id as "grantId",
      granted.principal_id as "principalId", granted.audience, granted.scopes, token.expires_at as "expiresAt",
      granted.expires_at as "grantExpiresAt", null::text[] as "parentAgentIds", null as "parentGrantId", 0 as "delegationDepth", ${ANY_ENQUEUED} as enqueued
    from asked left join developer using (ordinal) left join agent using (ordinal)
      left join granted on granted.id = asked."grantId" left join token on token.jti = asked.jti
    order by asked.ordinal`,
});

/**
 * Claims a code and makes its grant, token and refresh token, in one round trip. All of this happens, or none of it.
 * When concurrent callers present one code, exactly one claim succeeds. The others wait for the row and then find the
 * code used.
 */
export const claimCode = async (db: Pick<Database, 'ask'>, claim: CodeClaim): Promise<Issued> =>
  toIssued(await db.ask(exchange, claim));

const refusedCode = query({
  operation: 'SELECT',
  collection: 'authorization_requests',
  name: 'tokens.refused_code',
  text: `select request.grant_id as "grantId", request.agent_id as "agentId", request.exchanged_at is not null as used,
      request.code_expires_at <= $now as expired,
      request.code_challenge is distinct from $codeChallenge as "wrongVerifier",
      (select status from agents where id = $agentId and developer_id = $developerId and removed_at is null)
        as "agentStatus"
    from (values (1)) as one (row) left join authorization_requests request
      on code_hash = $codeHash and developer_id = $developerId`,
  params: { codeHash: bytes, developerId: text, agentId: text, codeChallenge: orNull(text), now: timestamp },
  row: {
    grantId: orNull(text),
    agentId: orNull(text),
    used: orNull(bool),
    expired: orNull(bool),
    wrongVerifier: orNull(bool),
    agentStatus: orNull(textOf<'active' | 'suspended'>()),
  },
});

/** What is stored of a code that was refused. Without such a code of the developer, only the state of the agent is there. */
export interface RefusedCode {
  /** The grant that the code produced. */
  readonly grantId: string | null;
  readonly agentId: string | null;
  readonly used: boolean | null;
  readonly expired: boolean | null;
  readonly wrongVerifier: boolean | null;
  /** Of the agent that presented it; null: the developer has no such agent. */
  readonly agentStatus: 'active' | 'suspended' | null;
}

/** Looks up why a code was refused. */
export const lookUpRefusedCode = (
  db: Queryable,
  claim: Pick<CodeClaim, 'agentId' | 'codeHash' | 'codeChallenge' | 'now'> & { readonly developerId: string },
): Promise<RefusedCode> => {
  const { codeHash, developerId, agentId, codeChallenge, now } = claim;
  return db.only(refusedCode, { codeHash, developerId, agentId, codeChallenge, now });
};
