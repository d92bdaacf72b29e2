import type { Config } from '../config.ts';
import { badRequest, type ServiceError } from '../errors.ts';
import { scopeClaim, type TokenSubject } from './claims.ts';

/** Reserved for the claims whose length the caller does not choose, the signature, and the rest of the request. */
const RESERVED_BYTES = 3072;

/**
 * BAD_REQUEST for a grant whose token would be too long for later requests; null otherwise. The longest request
 * delegates all scopes. It contains the token, which is a third longer than its claims (base64url), and the scopes once
 * more. The claims have the scopes twice where `scope` can say them.
 */
export function faultOfTokenSize(
  { bodyLimit }: Pick<Config, 'bodyLimit'>,
  { scopes, principalId, audience }: Pick<TokenSubject, 'scopes' | 'principalId' | 'audience'>,
): ServiceError | null {
  const claims = Buffer.byteLength(JSON.stringify([scopes, principalId, audience]));
  const spoken = Buffer.byteLength(JSON.stringify(scopeClaim(scopes) ?? ''));
  if ((claims * 7 + spoken * 4) / 3 + RESERVED_BYTES <= bodyLimit) return null;
  return badRequest('scopes, principalId and audience are too long together');
}
