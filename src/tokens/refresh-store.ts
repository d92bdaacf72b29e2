import { createBatch } from '../db/batch.ts';
import type { Queryable } from '../db/queryable.ts';
import type { NewToken } from '../grant-token/issue-token.ts';
import { describeStatement } from '../telemetry/database.ts';
import { ENQUEUED, TELL_OF_ISSUANCE } from '../webhooks/outbox-store.ts';
import { CALLERS, type Issued, type IssuedRow, toIssued } from './issued-store.ts';

/** A refresh token that is presented, and what is stored when it holds. */
export interface RefreshClaim extends NewToken {
  readonly keyHash: Buffer;
  readonly agentId: string;
  readonly presentedHash: Buffer;
  readonly idempotencyHash: Buffer | null;
  readonly now: Date;
  /** A use before this time can no longer be repeated. */
  readonly repeatableSince: Date;
}

// With an idempotency key, the same key on the same token since "repeatableSince" is a repetition of a request whose answer
// was lost: the token is "claimed" once more, and the successor that nobody has used gives way to the new one. Two
// repetitions at the same moment would not see each other's successor: only the one that finds the row as it read it (xmin)
// goes on, and the other is told that it was `contended`, to begin again.
const refresh = describeStatement({
  operation: 'UPDATE',
  collection: 'refresh_tokens',
  name: 'tokens.refresh',
  text: `with asked as materialized (
      select * from jsonb_to_recordset($1::text::jsonb) as asked (ordinal int, "keyHash" text, "agentId" text,
        "presentedHash" text, "idempotencyHash" text, now timestamptz, "repeatableSince" timestamptz, jti text, kid text,
        "refreshHash" text, traceparent text, "maxAttempts" int)),
    ${CALLERS},
    live as materialized (
      select asked.ordinal, presented.hash, presented.xmin as version, grants.id, grants.principal_id, grants.audience,
        grants.scopes, grants.expires_at, grants.parent_grant_id, grants.delegation_depth,
        parent.agent_id as parent_agent_id,
        presented.replaced_at is null and (presented.used_at is null
          or (presented.idempotency_hash = decode(asked."idempotencyHash", 'hex')
            and presented.used_at > asked."repeatableSince")) as claimable
      from asked join agent using (ordinal)
        cross join lateral (
          select refresh_tokens.*, refresh_tokens.xmin from refresh_tokens
          where hash = decode(asked."presentedHash", 'hex') limit 1) presented
        cross join lateral (select * from grants where id = presented.grant_id limit 1) grants
        left join lateral (select agent_id from grants parent where parent.id = grants.parent_grant_id limit 1) parent on true
      where grants.agent_id = agent.id and agent.status = 'active' and grants.status = 'active' and grants.expires_at > asked.now),
    chosen as materialized (
      select distinct on (hash) ordinal, hash, version from live where claimable order by hash, ordinal),
    claimed as (
      update refresh_tokens presented
      set used_at = coalesce(used_at, asked.now),
        idempotency_hash = coalesce(idempotency_hash, decode(asked."idempotencyHash", 'hex'))
      from chosen join asked using (ordinal)
      where presented.hash = chosen.hash and presented.xmin = chosen.version
      returning presented.hash, chosen.ordinal),
    replaced as (
      update refresh_tokens successor set replaced_at = asked.now from claimed join asked using (ordinal)
      where successor.predecessor = claimed.hash and successor.used_at is null and successor.replaced_at is null),
    next as (
      insert into refresh_tokens (hash, grant_id, agent_id, predecessor, issued_at)
      select decode(asked."refreshHash", 'hex'), live.id, agent.id, claimed.hash, asked.now
      from claimed join live using (ordinal) join agent using (ordinal) join asked using (ordinal)),
    token as (
      insert into tokens (jti, grant_id, kid, expires_at)
      select asked.jti, live.id, asked.kid, live.expires_at
      from claimed join live using (ordinal) join asked using (ordinal)
      returning jti),
    issuance as (
      select live.id as grant_id, agent.developer_id, agent.id as agent_id, live.principal_id, live.scopes, live.expires_at,
        false as is_new, live.delegation_depth, live.parent_grant_id, asked.jti, asked.now, asked.traceparent,
        asked."maxAttempts" as max_attempts
      from claimed join live using (ordinal) join agent using (ordinal) join asked using (ordinal)),
    ${TELL_OF_ISSUANCE}
    select developer.id as "developerId", agent.id as "agentId", issued.id as "grantId",
      issued.principal_id as "principalId", issued.audience, issued.scopes, issued.expires_at as "expiresAt",
      issued.parent_agent_id as "parentAgentId", issued.parent_grant_id as "parentGrantId",
      issued.delegation_depth as "delegationDepth", live.claimable and token.jti is null as contended,
      ${ENQUEUED}
    from asked left join developer using (ordinal) left join agent using (ordinal) left join live using (ordinal)
      left join token on token.jti = asked.jti left join live issued on issued.ordinal = asked.ordinal and token.jti is not null
    order by asked.ordinal`,
});

/** Rotates a refresh token and makes a new token of the same grant; all of it or nothing, in one round trip. */
export type RotateRefreshToken = (claim: RefreshClaim) => Promise<Issued>;

/** Makes the one way to rotate refresh tokens; rotations that come together share a statement. */
export function createRotateRefreshToken(db: Queryable): RotateRefreshToken {
  const ask = createBatch<object, IssuedRow & { contended: boolean | null }>(db, refresh);
  return async ({ keyHash, presentedHash, idempotencyHash, refreshHash, ...claim }) => {
    const question = {
      ...claim,
      keyHash: keyHash.toString('hex'),
      presentedHash: presentedHash.toString('hex'),
      idempotencyHash: idempotencyHash?.toString('hex'),
      refreshHash: refreshHash.toString('hex'),
    };
    for (;;) {
      const row = await ask(question);
      // Somebody else claimed the token since: the next look sees what came of it.
      if (!row.contended) return toIssued(row);
    }
  };
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
