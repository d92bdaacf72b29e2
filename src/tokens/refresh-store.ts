import type { Database } from '../db/client.ts';
import { bool, bytes, int, orNull, text, timestamp } from '../db/column-types.ts';
import { batchQuery, query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import type { NewToken } from '../grant-token/issue-token.ts';
import { removedAt } from '../grants/removal-marks-store.ts';
import { ANY_ENQUEUED, deliveriesOfIssuance } from '../webhooks/outbox-store.ts';
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

// The same idempotency key on the same token since "repeatableSince" means that the client repeats a request whose
// answer was lost. The statement then claims the token once more, and the new successor replaces the unused one. Two
// concurrent repetitions would not see each other's successor. Therefore only the one that finds the row unchanged
// (xmin) continues. The other one reads `contended` and starts again.
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
    traceparent: orNull(text),
    maxAttempts: int,
  },
  row: { ...issuedRow, contended: orNull(bool) },
  text: (asked) => `with ${asked},
    ${callersOf('asked')},
    live as materialized (
      select asked.ordinal, presented.hash, presented.xmin as version, grants.id, grants.principal_id, grants.audience,
        grants.scopes, grants.expires_at, grants.parent_grant_id, grants.delegation_depth,
        parent.agent_id as parent_agent_id,
        presented.replaced_at is null and (presented.used_at is null
          or (presented.idempotency_hash = asked."idempotencyHash"
            and presented.used_at > asked."repeatableSince")) as claimable
      from asked join agent using (ordinal)
        cross join lateral (
          select refresh_tokens.*, refresh_tokens.xmin from refresh_tokens
          where hash = asked."presentedHash" limit 1) presented
        cross join lateral (select * from grants where id = presented.grant_id limit 1) grants
        left join lateral (select agent_id from grants parent where parent.id = grants.parent_grant_id limit 1) parent on true
      where grants.agent_id = agent.id and agent.status = 'active' and grants.status = 'active' and grants.expires_at > asked.now
        and ${removedAt('grants', 'agent.developer_id')} is null),
    chosen as materialized (
      select distinct on (hash) ordinal, hash, version from live where claimable order by hash, ordinal),
    claimed as (
      update refresh_tokens presented
      set used_at = coalesce(used_at, asked.now),
        idempotency_hash = coalesce(idempotency_hash, asked."idempotencyHash")
      from chosen join asked using (ordinal)
      where presented.hash = chosen.hash and presented.xmin = chosen.version
      returning presented.hash, chosen.ordinal),
    replaced as (
      update refresh_tokens successor set replaced_at = asked.now from claimed join asked using (ordinal)
      where successor.predecessor = claimed.hash and successor.used_at is null and successor.replaced_at is null),
    next as (
      insert into refresh_tokens (hash, grant_id, agent_id, predecessor, issued_at)
      select asked."refreshHash", live.id, agent.id, claimed.hash, asked.now
      from claimed join live using (ordinal) join agent using (ordinal) join asked using (ordinal)),
    token as (
      insert into tokens (jti, grant_id, kid, expires_at)
      select asked.jti, live.id, asked.kid, live.expires_at
      from claimed join live using (ordinal) join asked using (ordinal)
      returning jti),
    ${deliveriesOfIssuance({
      grantId: 'live.id',
      developerId: 'agent.developer_id',
      agentId: 'agent.id',
      principalId: 'live.principal_id',
      scopes: 'live.scopes',
      expiresAt: 'live.expires_at',
      isNew: 'false',
      delegationDepth: 'live.delegation_depth',
      parentGrantId: 'live.parent_grant_id',
      jti: 'asked.jti',
      now: 'asked.now',
      traceparent: 'asked.traceparent',
      maxAttempts: 'asked."maxAttempts"',
      from: 'claimed join live using (ordinal) join agent using (ordinal) join asked using (ordinal)',
    })}
    select developer.id as "developerId", agent.id as "agentId", issued.id as "grantId",
      issued.principal_id as "principalId", issued.audience, issued.scopes, issued.expires_at as "expiresAt",
      issued.parent_agent_id as "parentAgentId", issued.parent_grant_id as "parentGrantId",
      issued.delegation_depth::int as "delegationDepth", live.claimable and token.jti is null as contended,
      ${ANY_ENQUEUED} as enqueued
    from asked left join developer using (ordinal) left join agent using (ordinal) left join live using (ordinal)
      left join token on token.jti = asked.jti left join live issued on issued.ordinal = asked.ordinal and token.jti is not null
    order by asked.ordinal`,
});

/**
 * Rotates a refresh token and makes a new token of the same grant, in one round trip. All of this happens, or none of
 * it.
 */
export async function rotateRefreshToken(db: Pick<Database, 'ask'>, claim: RefreshClaim): Promise<Issued> {
  for (;;) {
    const row = await db.ask(refresh, claim);
    // A concurrent request claimed the token meanwhile. The next attempt sees the result.
    if (!row.contended) return toIssued(row);
  }
}

const reused = query({
  operation: 'SELECT',
  collection: 'refresh_tokens',
  name: 'tokens.grant_of_used_refresh_token',
  text: `select grants.id as "grantId" from refresh_tokens presented join grants on grants.id = presented.grant_id
    where presented.hash = $presentedHash and grants.developer_id = $developerId and presented.used_at is not null
      and (presented.idempotency_hash = $idempotencyHash and presented.used_at > $repeatableSince) is not true`,
  params: {
    presentedHash: bytes,
    developerId: text,
    idempotencyHash: orNull(bytes),
    repeatableSince: timestamp,
  },
  row: { grantId: text },
});

/** The grant of a used refresh token of this developer; null if this use is an allowed repetition. */
export const grantOfReusedRefreshToken = async (
  db: Queryable,
  use: { developerId: string; presentedHash: Buffer; idempotencyHash: Buffer | null; repeatableSince: Date },
): Promise<string | null> => (await db.first(reused, use))?.grantId ?? null;
