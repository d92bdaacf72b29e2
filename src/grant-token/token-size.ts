import type { Config } from '../config.ts';
import { badRequest, type ServiceError } from '../errors.ts';
import type { TokenSubject } from './claims.ts';

/** Reserved for the claims whose length the caller does not choose, the signature, and the rest of the request. */
const RESERVED_BYTES = 2048;

/**
 * BAD_REQUEST for a grant whose token would be too long for later requests; null otherwise. The longest request
 * delegates all scopes. It contains the token, which is a third longer than its claims (base64url), and the scopes once
 * more.
 */
export function faultOfTokenSize(
  { bodyLimit }: Pick<Config, 'bodyLimit'>,
  { scopes, principalId, audience }: Pick<TokenSubject, 'scopes' | 'principalId' | 'audience'>,
): ServiceError | null {
  const claims = Buffer.byteLength(JSON.stringify([scopes, principalId, audience]));
  if ((claims * 7) / 3 + RESERVED_BYTES <= bodyLimit) return null;
  return badRequest('scopes, principalId and audience are too long together');
}
