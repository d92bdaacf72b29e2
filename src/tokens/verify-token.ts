import type { KeyHolder } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { whenKnown } from '../developers/known-caller.ts';
import type { ReadGrantToken } from '../grant-token/read-grant-token.ts';
import { agentDid } from '../ids.ts';
import type { VerificationFailure } from '../label-values.ts';
import { done, type Outcome } from '../outcome.ts';
import { loadTokenState, type TokenState } from './store.ts';

type VerifyDeps = Pick<Deps, 'db' | 'clock' | 'telemetry'> & { readonly readGrantToken: ReadGrantToken };

export type Verification =
  | {
      readonly valid: true;
      readonly grantId: string;
      readonly scopes: readonly string[];
      readonly principal: string;
      readonly agent: string;
      readonly expiresAt: Date;
    }
  | { readonly valid: false };

/**
 * Verifies a grant token online. It checks the token itself, and the current state of the token and its grant in the
 * database. The state is never cached, so a revocation takes effect with its commit, on every replica. The answer comes
 * from the database too, so that even a stolen signing key gives nobody more than was granted.
 */
export function verifyToken(
  { db, clock, telemetry, readGrantToken }: VerifyDeps,
  { keyHash }: KeyHolder,
  token: string,
): Promise<Outcome<Verification>> {
  return telemetry.inSpan('grantex.token.verify', {}, async () => {
    const read = await readGrantToken(token);
    const tokenId = read.valid ? read.claims.jti : read.tokenId;
    const found = await loadTokenState(db, { keyHash, jti: tokenId ?? null });
    return whenKnown(found, async (state) => {
      const invalid = (reason: VerificationFailure): Outcome<Verification> => {
        const grant = ownGrant(state);
        telemetry.events.tokenVerificationFailed({ operation: 'verify', reason, tokenId, grant });
        return done({ valid: false });
      };
      if (!read.valid) return invalid(read.reason);
      const { claims } = read;
      const failure = failureOf(state, claims.grnt, clock.now());
      if (failure) return invalid(failure);
      const { developerId, agentId, scopes, principalId, expiresAt } = state;
      if (agentId === null || scopes === null || principalId === null || expiresAt === null)
        throw new Error('a grant without agent, scopes, principal or expiry');
      telemetry.events.tokenVerified({ grantId: claims.grnt, developerId, agentId });
      return done({
        valid: true,
        grantId: claims.grnt,
        scopes,
        principal: principalId,
        agent: agentDid(agentId),
        expiresAt,
      });
    });
  });
}

/** The grant and agent of a token; undefined when the token is unknown or of another developer. */
function ownGrant({ developerId, ownerId, grantId, agentId }: TokenState) {
  if (developerId === null || ownerId !== developerId || grantId === null || agentId === null)
    return undefined;
  return { grantId, agentId, developerId };
}

/** Why a token with valid claims is not valid now; null when it is valid. */
export function failureOf(
  state: Pick<
    TokenState,
    'developerId' | 'ownerId' | 'grantId' | 'agentStatus' | 'grantRevoked' | 'tokenRevoked' | 'expiresAt'
  >,
  grantId: string,
  now: number,
): VerificationFailure | null {
  if (state.ownerId === null || state.grantId !== grantId) return 'not_found';
  if (state.ownerId !== state.developerId) return 'other_developer';
  if (state.tokenRevoked || state.grantRevoked) return 'revoked';
  if (state.expiresAt === null || state.expiresAt.getTime() <= now) return 'expired';
  if (state.agentStatus !== 'active') return 'agent_suspended';
  return null;
}
