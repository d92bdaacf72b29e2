/**
 * Signing keys: the key pairs for grant tokens, their rotation, and the public halves for verifiers.
 * Table: `signing_keys`.
 * `grant-token` signs and verifies with the key ring of this room. The `keys` command rotates the keys.
 */
import { Type } from 'typebox';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { done } from '../outcome.ts';
import type { KeyRing } from './key-ring.ts';

const COMMON = { use: Type.Literal('sig'), kid: Type.String() };
const Jwk = Type.Union([
  Type.Object({
    kty: Type.Literal('RSA'),
    alg: Type.Literal('RS256'),
    ...COMMON,
    n: Type.String(),
    e: Type.String(),
  }),
  Type.Object({
    kty: Type.Literal('EC'),
    alg: Type.Literal('ES256'),
    ...COMMON,
    crv: Type.Literal('P-256'),
    x: Type.String(),
    y: Type.String(),
  }),
]);

export const signingKeyRoutes = ({ keys }: { readonly keys: Pick<KeyRing, 'published'> }): Endpoint[] => [
  endpoint({
    method: 'get',
    path: '/.well-known/jwks.json',
    summary: 'Public keys of grant tokens (RFC 7517)',
    access: 'public',
    limit: null,
    responses: { 200: Type.Object({ keys: Type.Array(Jwk) }) },
    // Clients may cache the keys for less than the time between the publication of a key and its first signature.
    handle: async () =>
      done({
        status: 200,
        json: { keys: keys.published() },
        headers: { 'cache-control': 'public, max-age=60' },
      }),
  }),
];
