import type { IncomingMessage } from 'node:http';
import { badRequest, unauthorized } from '../errors.ts';
import { sha256 } from '../hash.ts';
import type { Credential } from '../label-values.ts';
import { timesSent } from './headers.ts';

/** The longest session token of a principal is shorter, and so is any API key. */
const MAX_LENGTH = 8192;

/** What a caller shows to be let in: an API key or a session token. */
export interface Bearer {
  readonly token: string;
  /** SHA-256 of the token: what an API key is looked up by. */
  readonly hash: Buffer;
}

/**
 * The credential in `Authorization: Bearer <token>` (RFC 6750 §2.1; the scheme in any case).
 * @param wanted what a refusal asks for
 * @throws UNAUTHORIZED when there is none; BAD_REQUEST when there are several, because a proxy may have judged another one
 */
export function bearerOf(
  { headers, rawHeaders }: Pick<IncomingMessage, 'headers' | 'rawHeaders'>,
  wanted: Credential,
): Bearer {
  if (timesSent(rawHeaders, 'authorization') > 1)
    throw badRequest('There is more than one Authorization header');
  const { authorization } = headers;
  if (authorization === undefined) throw unauthorized(wanted, 'missing');
  const token = /^bearer +(\S+) *$/i.exec(authorization)?.[1];
  if (token === undefined || token.length > MAX_LENGTH) throw unauthorized(wanted, 'malformed');
  return { token, hash: sha256(token) };
}
