import { unauthorized } from '../errors.ts';
import { sha256 } from '../hash.ts';

const MAX_KEY_LENGTH = 512;

/**
 * The SHA-256 of the API key in `Authorization: Bearer <key>` (RFC 6750 §2.1; the scheme in any case).
 * @throws UNAUTHORIZED when there is none
 */
export function bearerKeyHash(header: string | undefined): Buffer {
  const key = /^bearer +(\S+) *$/i.exec(header ?? '')?.[1];
  if (key === undefined || key.length > MAX_KEY_LENGTH) throw unauthorized();
  return sha256(key);
}
