import type { KeyHolder } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { whenKnown } from '../developers/known-caller.ts';
import { type Actor, actorOf, spokenScope } from '../grant-token/claims.ts';
import type { ReadGrantToken, ReadToken } from '../grant-token/read-grant-token.ts';
import { sha256 } from '../hash.ts';
import { done, type Outcome } from '../outcome.ts';
import { failureOf } from '../tokens/verify-token.ts';
import { type Introspected, introspectToken } from './store.ts';

export type IntrospectDeps = Pick<Deps, 'db' | 'clock' | 'telemetry' | 'issuer'> & {
  readonly readGrantToken: ReadGrantToken;
};

/** RFC 7662 §2.2; times in seconds since the epoch. */
export type Introspection =
  | { readonly active: false }
  | {
      readonly active: true;
      readonly client_id: string;
      /** A refresh token is no access token: a gateway must look at this. */
      readonly token_type: 'Bearer' | 'refresh_token';
      readonly exp: number;
      readonly iat: number;
      readonly sub: string;
      readonly iss: string;
      readonly aud?: string;
      readonly jti?: string;
      readonly scope?: string;
      readonly act?: Actor;
    };

/**
 * Tells what a grant token or refresh token is worth now (RFC 7662). The answer comes from the database and is never
 * cached. `{active: false}` for everything that is not a living token of the caller, whatever the reason, so that it
 * says nothing about tokens of others.
 */
export function introspect(
  { db, clock, telemetry, issuer, readGrantToken }: IntrospectDeps,
  { keyHash }: KeyHolder,
  token: string,
): Promise<Outcome<Introspection>> {
  return telemetry.inSpan('grantex.token.introspect', {}, async () => {
    const read = await readGrantToken(token);
    const tokenId = read.valid ? read.claims.jti : read.tokenId;
    const asked = { keyHash, jti: tokenId ?? null, presentedHash: sha256(token) };
    return whenKnown(await introspectToken(db, asked), async (state) => {
      const { grantId, agentId, developerId } = state;
      const own = grantId !== null && agentId !== null && state.ownerId === developerId;
      const grant = own ? { grantId, agentId, developerId } : undefined;
      const reason = failureOfPresented(read, state, clock.now());
      if (reason === null && grant) {
        telemetry.events.tokenVerified(grant);
        return done(describe(read, state, issuer()));
      }
      telemetry.events.tokenVerificationFailed({
        operation: 'introspect',
        reason: reason ?? 'not_found',
        tokenId,
        grant,
      });
      return done({ active: false });
    });
  });
}

function failureOfPresented(read: ReadToken, state: Introspected & { developerId: string }, now: number) {
  if (read.valid) return failureOf(state, read.claims.grnt, now);
  // A text that is no token of ours in form may be a refresh token.
  if (read.reason !== 'malformed' || state.grantId === null) return read.reason;
  return failureOf(state, state.grantId, now);
}

function describe(
  read: ReadToken,
  {
    grantId,
    agentId,
    developerId,
    principalId,
    audience,
    scopes,
    expiresAt,
    issuedAt,
    ...above
  }: Introspected,
  iss: string,
): Introspection {
  if (!grantId || !agentId || !developerId || principalId === null || !scopes || !expiresAt)
    throw new Error('a living token without its grant');
  const { parentGrantId, parentAgentIds, delegationDepth } = above;
  const parent =
    parentGrantId !== null && parentAgentIds !== null && delegationDepth !== null
      ? { grantId: parentGrantId, agentIds: parentAgentIds, depth: delegationDepth }
      : undefined;
  const act = actorOf(parent);
  const seconds = (date: Date) => Math.floor(date.getTime() / 1000);
  return {
    active: true,
    ...spokenScope({ grantId, agentId, developerId, scopes, ...(parent && { parent }) }),
    client_id: agentId,
    token_type: read.valid ? 'Bearer' : 'refresh_token',
    exp: seconds(expiresAt),
    iat: read.valid ? Number(read.claims.iat) : seconds(issuedAt ?? expiresAt),
    sub: principalId,
    ...(audience !== null && { aud: audience }),
    iss,
    ...(read.valid && { jti: read.claims.jti }),
    ...(act && { act }),
  };
}
