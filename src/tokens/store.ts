import type { AgentStatus } from '../agents/store.ts';
import type { Database } from '../db/client.ts';
import { bool, bytes, orNull, text, textOf, texts, timestamp } from '../db/column-types.ts';
import { batchQuery, query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import { ownerOfKey } from '../developers/key-owner-store.ts';
import { removedAt } from '../grants/removal-marks-store.ts';

/** The facts in the database about a token to verify and its caller. */
export interface TokenState {
  /** The caller; null: the API key is unknown. */
  readonly developerId: string | null;
  /** The developer of the token; null: there is no such token, or the question named none. */
  readonly ownerId: string | null;
  readonly grantId: string | null;
  readonly agentId: string | null;
  readonly agentStatus: AgentStatus | null;
  readonly grantRevoked: boolean | null;
  readonly tokenRevoked: boolean | null;
  /** Of the token, or of its grant where that ends first. */
  readonly expiresAt: Date | null;
  readonly principalId: string | null;
  readonly scopes: readonly string[] | null;
}

const states = batchQuery({
  operation: 'SELECT',
  collection: 'tokens',
  name: 'tokens.states',
  question: { keyHash: bytes, jti: orNull(text) },
  row: {
    developerId: orNull(text),
    ownerId: orNull(text),
    grantId: orNull(text),
    agentId: orNull(text),
    agentStatus: orNull(textOf<AgentStatus>()),
    grantRevoked: orNull(bool),
    tokenRevoked: orNull(bool),
    expiresAt: orNull(timestamp),
    principalId: orNull(text),
    scopes: orNull(texts),
  },
  text: (asked) => `with ${asked}
    select developers.id as "developerId", grants.developer_id as "ownerId", grants.id as "grantId",
      grants.agent_id as "agentId", agents.status as "agentStatus",
      grants.status = 'revoked' or ${removedAt('grants', 'grants.developer_id')} is not null as "grantRevoked",
      tokens.revoked_at is not null as "tokenRevoked",
      least(grants.expires_at, tokens.expires_at) as "expiresAt", grants.principal_id as "principalId", grants.scopes
    from asked
      left join lateral (${ownerOfKey('asked."keyHash"')}) developers on true
      left join lateral (select grant_id, expires_at, revoked_at from tokens where jti = asked.jti limit 1) tokens on true
      left join lateral (select * from grants where id = tokens.grant_id limit 1) grants on true
      left join lateral (select status from agents where id = grants.agent_id limit 1) agents on true
    order by asked.ordinal`,
});

/** The state of a token. It is read anew each time and never cached. */
export const loadTokenState = (
  db: Pick<Database, 'ask'>,
  asked: { keyHash: Buffer; jti: string | null },
): Promise<TokenState> => db.ask(states, asked);

const revoke = query({
  operation: 'UPDATE',
  collection: 'tokens',
  name: 'tokens.revoke',
  text: `update tokens set revoked_at = $now from grants
    where tokens.jti = $jti and grants.id = tokens.grant_id and grants.developer_id = $developerId
      and tokens.revoked_at is null
    returning grants.id as "grantId", grants.agent_id as "agentId"`,
  params: { developerId: text, jti: text, now: timestamp },
  row: { grantId: text, agentId: text },
});

/** @returns the grant of the token; undefined when it is unknown, of another developer, or already revoked */
export const revokeTokenRow = (
  db: Queryable,
  token: { developerId: string; jti: string; now: Date },
): Promise<{ readonly grantId: string; readonly agentId: string } | undefined> => db.first(revoke, token);

const status = query({
  operation: 'SELECT',
  collection: 'grants',
  name: 'tokens.revocation_status',
  text: `select grants.status = 'revoked' or tokens.revoked_at is not null
        or ${removedAt('grants', '$developerId')} is not null as revoked, agents.status as "agentStatus",
      least(grants.expires_at, tokens.expires_at) as "expiresAt"
    from grants join agents on agents.id = grants.agent_id
      left join tokens on tokens.grant_id = grants.id and tokens.jti = $jti
    where grants.developer_id = $developerId and ($grantId::text is null or grants.id = $grantId)
      and ($jti::text is null or tokens.jti is not null)
      and grants.id = coalesce($grantId, (select grant_id from tokens where jti = $jti))`,
  params: { developerId: text, grantId: orNull(text), jti: orNull(text) },
  row: { revoked: bool, agentStatus: textOf<AgentStatus>(), expiresAt: timestamp },
});

export interface RevocationRow {
  readonly revoked: boolean;
  readonly agentStatus: AgentStatus;
  /** Of the token, if one was named, and else of the grant. */
  readonly expiresAt: Date;
}

/** The combined state of the named grant and token; undefined when either is unknown or they do not belong together. */
export const revocationRow = (
  db: Queryable,
  named: { developerId: string; grantId: string | null; jti: string | null },
): Promise<RevocationRow | undefined> => db.first(status, named);
