import { Type } from 'typebox';
import type { Deps } from '../deps.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';

const Jwk = Type.Object({
  kty: Type.Literal('RSA'),
  alg: Type.Literal('RS256'),
  use: Type.Literal('sig'),
  kid: Type.String(),
  n: Type.String(),
  e: Type.String(),
});

export const keyRoutes = ({ keys }: Pick<Deps, 'keys'>): Endpoint[] => [
  endpoint({
    method: 'get',
    path: '/.well-known/jwks.json',
    summary: 'Public keys of grant tokens (RFC 7517)',
    access: 'public',
    limit: null,
    responses: { 200: Type.Object({ keys: Type.Array(Jwk) }) },
    // Cached for less than the time between a key's publication and its first signature.
    handle: async () => ({
      status: 200,
      json: { keys: keys.published() },
      headers: { 'cache-control': 'public, max-age=60' },
    }),
  }),
];
