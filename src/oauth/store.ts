import type { Database } from '../db/client.ts';
import { bool, bytes, int, orNull, text, textOf, texts, timestamp } from '../db/column-types.ts';
import { batchQuery, query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import { ownerOfKey } from '../developers/key-owner-store.ts';
import { removedAt } from '../grants/removal-marks-store.ts';
import { agentsFrom } from '../grants/token-parts-store.ts';

/** What is stored of a presented token and its grant. Without such a token only the caller is there. */
export interface Introspected {
  /** The caller; null: the API key is unknown. */
  readonly developerId: string | null;
  /** The developer of the token; null: there is no such token. */
  readonly ownerId: string | null;
  readonly grantId: string | null;
  readonly agentId: string | null;
  readonly agentStatus: 'active' | 'suspended' | null;
  readonly principalId: string | null;
  readonly audience: string | null;
  readonly scopes: readonly string[] | null;
  readonly parentGrantId: string | null;
  readonly parentAgentIds: readonly string[] | null;
  readonly delegationDepth: number | null;
  readonly grantRevoked: boolean | null;
  /** A refresh token that was used or replaced counts as revoked. */
  readonly tokenRevoked: boolean | null;
  /** Of the token, or of its grant where that ends first. */
  readonly expiresAt: Date | null;
  /** Of a refresh token; null for a grant token, whose claims say it. */
  readonly issuedAt: Date | null;
}

const introspected = batchQuery({
  operation: 'SELECT',
  collection: 'tokens',
  name: 'oauth.introspect',
  question: { keyHash: bytes, jti: orNull(text), presentedHash: bytes },
  row: {
    developerId: orNull(text),
    ownerId: orNull(text),
    grantId: orNull(text),
    agentId: orNull(text),
    agentStatus: orNull(textOf<'active' | 'suspended'>()),
    principalId: orNull(text),
    audience: orNull(text),
    scopes: orNull(texts),
    parentGrantId: orNull(text),
    parentAgentIds: orNull(texts),
    delegationDepth: orNull(int),
    grantRevoked: orNull(bool),
    tokenRevoked: orNull(bool),
    expiresAt: orNull(timestamp),
    issuedAt: orNull(timestamp),
  },
  text: (asked) => `with ${asked},
    found as materialized (
      select ordinal, token.grant_id, token.expires_at, token.revoked_at is not null as dead, null::timestamptz as issued_at
      from asked cross join lateral (
        select grant_id, expires_at, revoked_at from tokens where jti = asked.jti limit 1) token
      union all
      select ordinal, refresh.grant_id, null, refresh.used_at is not null or refresh.replaced_at is not null,
        refresh.issued_at
      from asked cross join lateral (
        select * from refresh_tokens where hash = asked."presentedHash" and asked.jti is null limit 1) refresh)
    select developers.id as "developerId", grants.developer_id as "ownerId", grants.id as "grantId",
      grants.agent_id as "agentId", agents.status as "agentStatus", grants.principal_id as "principalId",
      grants.audience, grants.scopes, grants.parent_grant_id as "parentGrantId",
      ${agentsFrom('grants.parent_grant_id')} as "parentAgentIds",
      grants.delegation_depth::int as "delegationDepth", grants.status = 'revoked' or ${removedAt('grants', 'grants.developer_id')} is not null as "grantRevoked",
      found.dead as "tokenRevoked", least(grants.expires_at, found.expires_at) as "expiresAt",
      found.issued_at as "issuedAt"
    from asked
      left join lateral (${ownerOfKey('asked."keyHash"')}) developers on true
      left join found using (ordinal)
      left join lateral (select * from grants where id = found.grant_id limit 1) grants on true
      left join lateral (select status from agents where id = grants.agent_id limit 1) agents on true
    order by asked.ordinal`,
});

/**
 * The state of a presented token and its grant, with the caller, in one round trip. It is read anew each time.
 * @param asked `jti` of a grant token; null: the text may be a refresh token
 */
export const introspectToken = (
  db: Pick<Database, 'ask'>,
  asked: { keyHash: Buffer; jti: string | null; presentedHash: Buffer },
): Promise<Introspected> => db.ask(introspected, asked);

const grantOf = query({
  operation: 'SELECT',
  collection: 'refresh_tokens',
  name: 'oauth.grant_of_refresh_token',
  text: `select grants.id as "grantId" from refresh_tokens join grants on grants.id = refresh_tokens.grant_id
    where refresh_tokens.hash = $presentedHash and grants.developer_id = $developerId`,
  params: { presentedHash: bytes, developerId: text },
  row: { grantId: text },
});

/** The grant of a refresh token of this developer, used or not; null for every other text. */
export const grantOfRefreshToken = async (
  db: Queryable,
  presented: { developerId: string; presentedHash: Buffer },
): Promise<string | null> => (await db.first(grantOf, presented))?.grantId ?? null;
