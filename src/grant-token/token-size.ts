import type { Config } from '../config.ts';
import { badRequest } from '../errors.ts';
import type { TokenSubject } from './sign-grant-token.ts';

/** For the claims whose length a caller does not choose, the signature, and what else the request holds. */
const RESERVED_BYTES = 2048;

/**
 * Refuses a grant whose token could not be sent back: the longest request, a delegation of all its scopes, holds the token,
 * which is a third longer than its claims (base64url), and the scopes once more.
 * @throws BAD_REQUEST
 */
export function assertTokenFits(
  { bodyLimit }: Pick<Config, 'bodyLimit'>,
  { scopes, principalId, audience }: Pick<TokenSubject, 'scopes' | 'principalId' | 'audience'>,
): void {
  const claims = Buffer.byteLength(JSON.stringify([scopes, principalId, audience]));
  if ((claims * 7) / 3 + RESERVED_BYTES > bodyLimit)
    throw badRequest('scopes, principalId and audience are too long together');
}
