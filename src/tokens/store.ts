import type { SpanContext } from '@opentelemetry/api';
import type { AgentStatus } from '../agents/store.ts';
import type { Queryable } from '../db/client.ts';
import type { NewToken } from '../keys/issue-token.ts';
import type { TokenSubject } from '../keys/sign-grant-token.ts';
import { describeStatement } from '../telemetry/database.ts';

/** What a hot statement found; `grant` is null when the credential was refused. */
export interface Issued {
  /** null: the API key is unknown. */
  readonly developerId: string | null;
  /** null: no such agent of this developer. */
  readonly agentId: string | null;
  /** The grant that an exchange or a refresh gives a token for. */
  readonly grant: TokenSubject | null;
}

interface IssuedRow {
  readonly developerId: string | null;
  readonly agentId: string | null;
  readonly grantId: string | null;
  readonly principalId: string;
  readonly audience: string | null;
  readonly scopes: string[];
  readonly expiresAt: Date;
  readonly parentAgentId: string | null;
  readonly parentGrantId: string | null;
  readonly delegationDepth: number;
}

function toIssued([row]: IssuedRow[]): Issued {
  if (!row) throw new Error('the statement returned no row');
  const { developerId, agentId, grantId, parentAgentId, parentGrantId, delegationDepth } = row;
  const { principalId, audience, scopes, expiresAt } = row;
  if (developerId === null || agentId === null || grantId === null)
    return { developerId, agentId, grant: null };
  const parent =
    parentAgentId !== null && parentGrantId !== null
      ? { parent: { agentId: parentAgentId, grantId: parentGrantId, depth: delegationDepth } }
      : {};
  return {
    developerId,
    agentId,
    grant: { principalId, audience, scopes, expiresAt, ...parent, developerId, agentId, grantId },
  };
}

// The developer of the key and its agent. The agent's row is share-locked first of all, so that an agent that is being
// deleted at the same moment is waited for instead of deadlocked with.
const CALLER = `developer as materialized (select id from developers where api_key_hash = $1),
    agent as materialized (
      select agents.id, status from agents join developer on agents.developer_id = developer.id where agents.id = $2
      for key share of agents)`;

const exchange = describeStatement({
  operation: 'UPDATE',
  collection: 'authorization_requests',
  name: 'tokens.exchange_code',
  text: `with ${CALLER},
    claimed as (
      update authorization_requests request set exchanged_at = $5, grant_id = $6
      from developer, agent
      where request.code_hash = $3 and request.developer_id = developer.id and request.agent_id = agent.id
        and agent.status = 'active' and request.exchanged_at is null and request.status <> 'denied'
        and request.code_expires_at > $5 and request.code_challenge is not distinct from $4
      returning request.developer_id, request.agent_id, request.principal_id, request.scopes, request.audience,
        request.grant_seconds),
    granted as (
      insert into grants (id, developer_id, agent_id, principal_id, scopes, audience, status, issued_at, expires_at,
        root_grant_id, delegation_depth)
      select $6, developer_id, agent_id, principal_id, scopes, audience, 'active', $5,
        date_trunc('second', $5::timestamptz) + make_interval(secs => grant_seconds), $6, 0
      from claimed
      returning id, principal_id, audience, scopes, expires_at),
    token as (insert into tokens (jti, grant_id, kid, expires_at) select $7, id, $8, expires_at from granted),
    refresh as (insert into refresh_tokens (hash, grant_id, issued_at) select $9, id, $5 from granted)
    select developer.id as "developerId", agent.id as "agentId", granted.id as "grantId",
      granted.principal_id as "principalId", granted.audience, granted.scopes, granted.expires_at as "expiresAt",
      null as "parentAgentId", null as "parentGrantId", 0 as "delegationDepth"
    from (values (1)) as one (row) left join developer on true left join agent on true left join granted on true`,
});

/**
 * Claims a code and makes its grant, token and refresh token; all of it or nothing, in one round trip. Of callers that
 * present one code at the same time the claim lets exactly one through: the others wait for its row and then find it used.
 */
export async function exchangeCode(
  db: Queryable,
  keyHash: Buffer,
  claim: {
    agentId: string;
    codeHash: Buffer;
    codeChallenge: string | null;
    now: Date;
    grantId: string;
  } & NewToken,
): Promise<Issued> {
  const { agentId, codeHash, codeChallenge, now, grantId, jti, kid, refreshHash } = claim;
  const values = [keyHash, agentId, codeHash, codeChallenge, now, grantId, jti, kid, refreshHash];
  return toIssued(await db.rows<IssuedRow>(exchange, values));
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

// With an idempotency key, the same key on the same token within $8 is a repetition of a request whose answer was lost:
// the token is "claimed" once more, and the successor that nobody has used gives way to the new one. Two repetitions at
// the same moment would not see each other's successor: only the one that finds the row as it read it (xmin) goes on,
// and the other is told that it was `contended`, to begin again.
const refresh = describeStatement({
  operation: 'UPDATE',
  collection: 'refresh_tokens',
  name: 'tokens.refresh',
  text: `with ${CALLER},
    live as materialized (
      select grants.id, grants.principal_id, grants.audience, grants.scopes, grants.expires_at, grants.parent_grant_id,
        grants.delegation_depth, parent.agent_id as parent_agent_id, presented.xmin as version,
        presented.replaced_at is null
          and (used_at is null or (idempotency_hash = $4 and used_at > $8)) as claimable
      from refresh_tokens presented join grants on grants.id = presented.grant_id
        join agent on agent.id = grants.agent_id left join grants parent on parent.id = grants.parent_grant_id
      where presented.hash = $3 and agent.status = 'active' and grants.status = 'active' and grants.expires_at > $5),
    claimed as (
      update refresh_tokens presented
      set used_at = coalesce(used_at, $5), idempotency_hash = coalesce(idempotency_hash, $4)
      from live
      where presented.hash = $3 and presented.grant_id = live.id and live.claimable and presented.xmin = live.version
      returning presented.hash),
    replaced as (
      update refresh_tokens successor set replaced_at = $5 from claimed
      where successor.predecessor = claimed.hash and successor.used_at is null and successor.replaced_at is null),
    next as (
      insert into refresh_tokens (hash, grant_id, predecessor, issued_at)
      select $9, live.id, claimed.hash, $5 from live, claimed),
    token as (
      insert into tokens (jti, grant_id, kid, expires_at) select $6, live.id, $7, live.expires_at from live, claimed
      returning grant_id)
    select developer.id as "developerId", agent.id as "agentId", issued.id as "grantId",
      issued.principal_id as "principalId", issued.audience, issued.scopes, issued.expires_at as "expiresAt",
      issued.parent_agent_id as "parentAgentId", issued.parent_grant_id as "parentGrantId",
      issued.delegation_depth as "delegationDepth",
      exists (select from live where claimable) and not exists (select from claimed) as contended
    from (values (1)) as one (row) left join developer on true left join agent on true
      left join (select live.* from live join token on token.grant_id = live.id) issued on true`,
});

/** Rotates a refresh token and makes a new token of the same grant; all of it or nothing, in one round trip. */
export async function rotateRefreshToken(
  db: Queryable,
  keyHash: Buffer,
  claim: {
    agentId: string;
    presentedHash: Buffer;
    idempotencyHash: Buffer | null;
    now: Date;
    /** A use before this time can no longer be repeated. */
    repeatableSince: Date;
  } & NewToken,
): Promise<Issued> {
  const { agentId, presentedHash, idempotencyHash, now, repeatableSince, jti, kid, refreshHash } = claim;
  const values = [
    keyHash,
    agentId,
    presentedHash,
    idempotencyHash,
    now,
    jti,
    kid,
    repeatableSince,
    refreshHash,
  ];
  for (;;) {
    const rows = await db.rows<IssuedRow & { contended: boolean }>(refresh, values);
    // Somebody else claimed the token since: the next look sees what came of it.
    if (!rows[0]?.contended) return toIssued(rows);
  }
}

const reused = describeStatement({
  operation: 'SELECT',
  collection: 'refresh_tokens',
  name: 'tokens.grant_of_used_refresh_token',
  text: `select grants.id as "grantId" from refresh_tokens presented join grants on grants.id = presented.grant_id
    where presented.hash = $2 and grants.developer_id = $1 and presented.used_at is not null
      and (presented.idempotency_hash = $3 and presented.used_at > $4) is not true`,
});

/** The grant of a used refresh token of this developer, unless presenting it is a repetition that is allowed. */
export async function grantOfReusedRefreshToken(
  db: Queryable,
  use: { developerId: string; presentedHash: Buffer; idempotencyHash: Buffer | null; repeatableSince: Date },
): Promise<string | null> {
  const values = [use.developerId, use.presentedHash, use.idempotencyHash, use.repeatableSince];
  const [row] = await db.rows<{ grantId: string }>(reused, values);
  return row?.grantId ?? null;
}

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
    from unnest($1::text[], $2::text[]) with ordinality as asked (key_hash, jti, ordinal)
      left join developers on developers.api_key_hash = decode(asked.key_hash, 'hex')
      left join tokens on tokens.jti = asked.jti
      left join grants on grants.id = tokens.grant_id
      left join agents on agents.id = grants.agent_id
    order by asked.ordinal`,
});

/** One state for each question, in the order of the questions; many callers' questions make one statement. */
export function tokenStates(
  db: Queryable,
  questions: readonly { keyHash: Buffer; jti: string | null }[],
  links: readonly SpanContext[],
): Promise<TokenState[]> {
  return db.rows(
    states,
    [questions.map(({ keyHash }) => keyHash.toString('hex')), questions.map(({ jti }) => jti)],
    links,
  );
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
