import type { Deps } from '../deps.ts';
import { unauthorized } from '../errors.ts';
import type { VerificationFailure } from '../telemetry/events.ts';
import type { LoadTokenState, TokenState } from './store.ts';

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
 * Verifies a grant token online: what the token says of itself, and what the database says of it and its grant at this
 * moment. No answer is remembered, so a revocation holds from its commit on, on every replica.
 * @throws UNAUTHORIZED
 */
export function verifyToken(
  deps: Deps,
  loadState: LoadTokenState,
  keyHash: Buffer,
  token: string,
): Promise<Verification> {
  const { telemetry, clock } = deps;
  return telemetry.inSpan('grantex.token.verify', {}, async () => {
    const read = await deps.readGrantToken(token);
    const tokenId = read.valid ? read.claims.jti : read.tokenId;
    const state = await loadState(keyHash, tokenId ?? null);
    if (state.callerId === null) throw unauthorized();
    const invalid = (reason: VerificationFailure): Verification => {
      telemetry.events.tokenVerificationFailed({ reason, tokenId, grant: ownGrant(state) });
      return { valid: false };
    };
    if (!read.valid) return invalid(read.reason);
    const { claims } = read;
    const failure = failureOf(state, claims.grnt, clock.now());
    if (failure) return invalid(failure);
    telemetry.events.tokenVerified({
      grantId: claims.grnt,
      developerId: state.callerId,
      ...(state.agentId !== null && { agentId: state.agentId }),
    });
    return {
      valid: true,
      grantId: claims.grnt,
      scopes: claims.scp,
      principal: claims.sub,
      agent: claims.agt,
      expiresAt: new Date(claims.exp * 1000),
    };
  });
}

/** What a token is about; undefined when it is unknown or another developer's. */
function ownGrant({ callerId, ownerId, grantId, agentId }: TokenState) {
  if (callerId === null || ownerId !== callerId || grantId === null || agentId === null) return undefined;
  return { grantId, agentId, developerId: callerId };
}

/** Why a token whose own claims hold is not valid now; null when it is. */
export function failureOf(state: TokenState, grantId: string, now: number): VerificationFailure | null {
  if (state.ownerId === null || state.grantId !== grantId) return 'not_found';
  if (state.ownerId !== state.callerId) return 'other_developer';
  if (state.tokenRevoked || state.grantRevoked) return 'revoked';
  if (state.grantExpiresAt === null || state.grantExpiresAt.getTime() <= now) return 'expired';
  if (state.agentStatus !== 'active') return 'agent_suspended';
  return null;
}
