import { decodeJwt } from 'jose';
import type { Developer } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { badRequest, type ServiceError } from '../errors.ts';
import type { GrantClaims, ReadGrantToken } from '../grant-token/read-grant-token.ts';
import { done, type Outcome, refuse } from '../outcome.ts';
import { grantOfToken } from './store.ts';

export type GrantVerification =
  | { readonly active: true; readonly claims: GrantClaims }
  | { readonly active: false; readonly reason: 'revoked' | 'not_found' | 'expired' };

export type VerifyGrantDeps = Pick<Deps, 'db' | 'clock'> & { readonly readGrantToken: ReadGrantToken };

/**
 * Tells whether the grant behind a token is active now. NOT_FOUND for a token that this service did not issue.
 * BAD_REQUEST for a text that does not decode as a JWT.
 */
export async function verifyGrant(
  { db, clock, readGrantToken }: VerifyGrantDeps,
  { id: developerId }: Pick<Developer, 'id'>,
  token: string,
): Promise<Outcome<GrantVerification>> {
  const fault = decodingFault(token);
  if (fault) return refuse(fault);
  const read = await readGrantToken(token);
  if (!read.valid) return dead(read.reason === 'expired' ? 'expired' : 'not_found');
  const { claims } = read;
  const row = await grantOfToken(db, { developerId, jti: claims.jti });
  if (!row || row.grantId !== claims.grnt) return dead('not_found');
  // A suspended agent's grants are not active either. Of the three reasons this one fits best.
  if (row.revoked || row.agentSuspended) return dead('revoked');
  if (row.expiresAt.getTime() <= clock.now()) return dead('expired');
  return done({ active: true, claims });
}

const dead = (reason: 'revoked' | 'not_found' | 'expired') => done({ active: false, reason } as const);

function decodingFault(token: string): ServiceError | null {
  try {
    decodeJwt(token);
    return null;
  } catch (error) {
    return badRequest('token is not a JWT', error);
  }
}
