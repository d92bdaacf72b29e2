import type { Database } from '../db/client.ts';
import { bool, bytes, int, orNull, text, textOf, timestamp } from '../db/column-types.ts';
import { batchQuery, query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import { ANY_ENQUEUED, deliveriesOfIssuance } from '../events/outbox-store.ts';
import type { NewToken } from '../grant-token/issue-token.ts';
import { removedAt } from '../grants/removal-marks-store.ts';
import { agentsFrom, tokenExpiry } from '../grants/token-parts-store.ts';
import { callersOf, type Issued, issuedRow, toIssued } from './issued-store.ts';

/** A presented refresh token, and the content to store if it is valid. */
export interface RefreshClaim extends NewToken {
  readonly keyHash: Buffer;
  readonly agentId: string;
  readonly presentedHash: Buffer;
  readonly idempotencyHash: Buffer | null;
  readonly now: Date;
  /** The use of a token may be repeated if it was after this time. */
  readonly repeatableSince: Date;
}

/** SQL: whether this use of the used token `presented` is a retry. It is one until a successor has been used. */
const isRetry = (idempotencyHash: string, repeatableSince: string): string =>
  `(presented.idempotency_hash = ${idempotencyHash} and presented.used_at > ${repeatableSince}
          and not exists (
            select from refresh_tokens successor
            where successor.predecessor = presented.hash and successor.used_at is not null))`;

// The same idempotency key on the same token since "repeatableSince" means that the client repeats a request whose
// answer was lost. As long as no successor was used, the answer has the same successor again ("refreshHash" is derived
// from the token and the key). The update of its row waits for a use at the same moment, which then decides.
// An unused successor with another hash comes from a version or a SECRET_KEY that derived it differently. The token is
// then claimed once more, and its derived successor replaces the other one, so that one chain lives.
// Of concurrent claims only the one that finds the row unchanged (xmin) continues. Whatever meets a change reads
// `contended` and starts again.
const refresh = batchQuery({
  operation: 'UPDATE',
  collection: 'refresh_tokens',
  name: 'tokens.refresh',
  question: {
    keyHash: bytes,
    agentId: text,
    presentedHash: bytes,
    idempotencyHash: orNull(bytes),
    now: timestamp,
    repeatableSince: timestamp,
    jti: text,
    kid: text,
    refreshHash: bytes,
    tokenSeconds: int,
    traceparent: orNull(text),
    maxAttempts: int,
  },
  row: { ...issuedRow, contended: orNull(bool) },
  text: (asked) => `with ${asked},
    ${callersOf('asked')},
    live as materialized (
      select asked.ordinal, presented.hash, presented.xmin as version, grants.id, grants.principal_id, grants.audience,
        grants.scopes, grants.expires_at, grants.parent_grant_id, grants.delegation_depth,
        ${agentsFrom('grants.parent_grant_id')} as parent_agent_ids, presented.used_at is null as is_first, exists (
          select from refresh_tokens same
          where same.hash = asked."refreshHash" and same.used_at is null and same.replaced_at is null) as has_same
      from asked join agent using (ordinal)
        cross join lateral (
          select refresh_tokens.*, refresh_tokens.xmin from refresh_tokens
          where hash = asked."presentedHash" limit 1) presented
        cross join lateral (select * from grants where id = presented.grant_id limit 1) grants
      where grants.agent_id = agent.id and agent.status = 'active' and grants.status = 'active' and grants.expires_at > asked.now
        and ${removedAt('grants', 'agent.developer_id')} is null
        and presented.replaced_at is null
        and (presented.used_at is null or ${isRetry('asked."idempotencyHash"', 'asked."repeatableSince"')})),
    chosen as materialized (
      select distinct on (hash) ordinal, hash, version from live where is_first or not has_same order by hash, ordinal),
    claimed as (
      update refresh_tokens presented
      set used_at = coalesce(used_at, asked.now),
        idempotency_hash = coalesce(idempotency_hash, asked."idempotencyHash")
      from chosen join asked using (ordinal)
      where presented.hash = chosen.hash and presented.xmin = chosen.version
      returning presented.hash, chosen.ordinal),
    replaced as (
      update refresh_tokens successor set replaced_at = asked.now from claimed join asked using (ordinal)
      where successor.predecessor = claimed.hash and successor.hash <> asked."refreshHash"
        and successor.used_at is null and successor.replaced_at is null),
    repeated as (
      update refresh_tokens same set repeats = repeats + asking.total
      from (select asked."refreshHash" as hash, count(*)::int as total from live join asked using (ordinal)
        where not is_first and has_same group by asked."refreshHash") asking
      where same.hash = asking.hash and same.used_at is null and same.replaced_at is null
      returning same.hash),
    answered as (
      select ordinal from claimed
      union all
      select ordinal from live join asked using (ordinal) join repeated on repeated.hash = asked."refreshHash"
      where not is_first),
    next as (
      insert into refresh_tokens (hash, grant_id, agent_id, predecessor, issued_at)
      select asked."refreshHash", live.id, agent.id, claimed.hash, asked.now
      from claimed join live using (ordinal) join agent using (ordinal) join asked using (ordinal)
      on conflict (hash) do update set replaced_at = null),
    token as (
      insert into tokens (jti, grant_id, kid, expires_at)
      select asked.jti, live.id, asked.kid, ${tokenExpiry('live.expires_at', 'asked.now', 'asked."tokenSeconds"')}
      from answered join live using (ordinal) join asked using (ordinal)
      returning jti, expires_at),
    ${deliveriesOfIssuance({
      grantId: 'live.id',
      developerId: 'agent.developer_id',
      agentId: 'agent.id',
      principalId: 'live.principal_id',
      scopes: 'live.scopes',
      expiresAt: 'live.expires_at',
      tokenExpiresAt: 'token.expires_at',
      isNew: 'false',
      delegationDepth: 'live.delegation_depth',
      parentGrantId: 'live.parent_grant_id',
      jti: 'asked.jti',
      now: 'asked.now',
      traceparent: 'asked.traceparent',
      maxAttempts: 'asked."maxAttempts"',
      from: 'answered join live using (ordinal) join agent using (ordinal) join asked using (ordinal) join token using (jti)',
    })}
    select developer.id as "developerId", agent.id as "agentId", issued.id as "grantId",
      issued.principal_id as "principalId", issued.audience, issued.scopes, token.expires_at as "expiresAt",
      issued.expires_at as "grantExpiresAt", issued.parent_agent_ids as "parentAgentIds",
      issued.parent_grant_id as "parentGrantId", issued.delegation_depth::int as "delegationDepth",
      live.ordinal is not null and token.jti is null as contended,
      ${ANY_ENQUEUED} as enqueued
    from asked left join developer using (ordinal) left join agent using (ordinal) left join live using (ordinal)
      left join token on token.jti = asked.jti left join live issued on issued.ordinal = asked.ordinal and token.jti is not null
    order by asked.ordinal`,
});

/**
 * Rotates a refresh token and makes a new token of the same grant, in one round trip. All of this happens, or none of
 * it. A retry gets the same successor. A grant never has two refresh tokens that work.
 */
export async function rotateRefreshToken(db: Pick<Database, 'ask'>, claim: RefreshClaim): Promise<Issued> {
  for (;;) {
    const row = await db.ask(refresh, claim);
    // A concurrent request claimed the token meanwhile. The next attempt sees the result.
    if (!row.contended) return toIssued(row);
  }
}

const refusedToken = query({
  operation: 'SELECT',
  collection: 'refresh_tokens',
  name: 'tokens.refused_refresh_token',
  text: `select presented."grantId", presented."agentId", presented.reused, presented.revoked, presented.expired,
      (select status from agents where id = $agentId and developer_id = $developerId and removed_at is null)
        as "agentStatus"
    from (values (1)) as one (row) left join lateral (
      select grants.id as "grantId", grants.agent_id as "agentId",
        (presented.replaced_at is not null
          or presented.used_at is not null and ${isRetry('$idempotencyHash', '$repeatableSince')} is not true) as reused,
        grants.status <> 'active' or ${removedAt('grants', '$developerId')} is not null as revoked,
        grants.expires_at <= $now as expired
      from refresh_tokens presented join grants on grants.id = presented.grant_id
      where presented.hash = $presentedHash and grants.developer_id = $developerId) presented on true`,
  params: {
    presentedHash: bytes,
    developerId: text,
    agentId: text,
    now: timestamp,
    idempotencyHash: orNull(bytes),
    repeatableSince: timestamp,
  },
  row: {
    grantId: orNull(text),
    agentId: orNull(text),
    reused: orNull(bool),
    revoked: orNull(bool),
    expired: orNull(bool),
    agentStatus: orNull(textOf<'active' | 'suspended'>()),
  },
});

/** What is stored of a refresh token that was refused. Without such a token of the developer, only the agent's state. */
export interface RefusedRefreshToken {
  readonly grantId: string | null;
  /** The agent of its grant. */
  readonly agentId: string | null;
  /** It was used or replaced, and this use is no allowed retry. */
  readonly reused: boolean | null;
  /** Its grant was revoked. */
  readonly revoked: boolean | null;
  /** Its grant has expired. */
  readonly expired: boolean | null;
  /** Of the agent that presented it; null: the developer has no such agent. */
  readonly agentStatus: 'active' | 'suspended' | null;
}

/** Looks up why a refresh token was refused. */
export const lookUpRefusedToken = (
  db: Queryable,
  claim: Pick<RefreshClaim, 'agentId' | 'presentedHash' | 'idempotencyHash' | 'now' | 'repeatableSince'> & {
    readonly developerId: string;
  },
): Promise<RefusedRefreshToken> => {
  const { presentedHash, developerId, agentId, now, idempotencyHash, repeatableSince } = claim;
  return db.only(refusedToken, {
    presentedHash,
    developerId,
    agentId,
    now,
    idempotencyHash,
    repeatableSince,
  });
};
