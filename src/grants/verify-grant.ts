import { decodeJwt } from 'jose';
import type { Deps } from '../deps.ts';
import { badRequest } from '../errors.ts';
import type { GrantClaims } from '../grant-token/read-grant-token.ts';
import { grantOfToken } from './store.ts';

export type GrantVerification =
  | { readonly active: true; readonly claims: GrantClaims }
  | { readonly active: false; readonly reason: 'revoked' | 'not_found' | 'expired' };

/**
 * Whether the grant behind a token is alive now. What is not a token of this service is not found.
 * @throws BAD_REQUEST for a text that cannot be decoded as a JWT
 */
export async function verifyGrant(
  deps: Deps,
  developerId: string,
  token: string,
): Promise<GrantVerification> {
  assertDecodable(token);
  const read = await deps.readGrantToken(token);
  if (!read.valid) return { active: false, reason: read.reason === 'expired' ? 'expired' : 'not_found' };
  const { claims } = read;
  const row = await grantOfToken(deps.db, developerId, claims.jti);
  if (!row || row.grantId !== claims.grnt) return { active: false, reason: 'not_found' };
  // A suspended agent's grants are not alive either; of the three reasons that fits best.
  if (row.revoked || row.agentSuspended) return { active: false, reason: 'revoked' };
  if (row.expiresAt.getTime() <= deps.clock.now()) return { active: false, reason: 'expired' };
  return { active: true, claims };
}

function assertDecodable(token: string): void {
  try {
    decodeJwt(token);
  } catch (error) {
    throw badRequest('token is not a JWT', error);
  }
}
