import type { JWK } from 'jose';
import type { PublicJwk } from './store.ts';

/**
 * The public half of an RSA or P-256 key, with the one algorithm that the service uses it for (RFC 7517 §4.4). Private
 * members, and members that may contradict that use, are left out. Null for any other or incomplete key.
 */
export function publicJwkOf({ kty, kid, n, e, crv, x, y }: JWK): PublicJwk | null {
  if (!kid) return null;
  if (kty === 'RSA' && n && e) return { kty: 'RSA', alg: 'RS256', use: 'sig', kid, n, e };
  if (kty === 'EC' && crv === 'P-256' && x && y)
    return { kty: 'EC', alg: 'ES256', use: 'sig', kid, crv: 'P-256', x, y };
  return null;
}
