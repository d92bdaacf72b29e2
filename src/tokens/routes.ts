/**
 * Tokens: the exchange of a code for a grant and its first token, the rotation of refresh tokens, the online
 * verification of tokens, and their revocation one by one. Tables: `tokens`, `refresh_tokens`. An exchange also writes
 * `grants` and claims a row of `authorization_requests`. The content of a grant token is the subject of `grant-token`.
 * `oauth` uses the checks and the revocation of this room.
 */
import { Type } from 'typebox';
import { badRequest } from '../errors.ts';
import type { ReadGrantToken } from '../grant-token/read-grant-token.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { created, noContent, ok } from '../http/reply.ts';
import { Credential, Id, Timestamp } from '../http/schemas.ts';
import { type ExchangeDeps, exchangeCode } from './exchange-code.ts';
import { type RefreshDeps, refreshToken } from './refresh-token.ts';
import { REVOCATION_STATUSES, revocationStatus } from './revocation-status.ts';
import { revokeToken } from './revoke-token.ts';
import { verifyToken } from './verify-token.ts';

const MAX_IDEMPOTENCY_KEY = 255;

const TokenPair = Type.Object({
  grantToken: Type.String(),
  expiresAt: Timestamp,
  grantExpiresAt: Timestamp,
  scopes: Type.Array(Type.String()),
  refreshToken: Type.String(),
  grantId: Type.String(),
});

type TokenDeps = ExchangeDeps & RefreshDeps & { readonly readGrantToken: ReadGrantToken };

export function tokenRoutes(deps: TokenDeps): Endpoint[] {
  return [
    endpoint({
      method: 'post',
      path: '/v1/tokens/verify',
      summary: 'Verify a grant token online',
      access: 'joined',
      limit: 'verify',
      readOnly: true,
      operation: 'verify',
      body: Type.Object({ token: Type.String() }),
      responses: {
        200: Type.Object({
          valid: Type.Boolean(),
          grantId: Type.Optional(Type.String()),
          scopes: Type.Optional(Type.Array(Type.String())),
          principal: Type.Optional(Type.String()),
          agent: Type.Optional(Type.String()),
          expiresAt: Type.Optional(Timestamp),
        }),
      },
      handle: async ({ caller, body }) => ok(await verifyToken(deps, caller, body.token)),
    }),
    endpoint({
      method: 'post',
      path: '/v1/token',
      summary: 'Exchange a code for a grant token',
      access: 'joined',
      limit: 'token',
      attempt: 'token_exchange',
      operation: 'exchange',
      body: Type.Object({
        code: Credential,
        agentId: Id,
        // RFC 7636 §4.1
        codeVerifier: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9._~-]{43,128}$' })),
      }),
      responses: { 201: TokenPair },
      handle: async ({ caller, body: { code, agentId, codeVerifier } }) =>
        created(await exchangeCode(deps, caller, { code, agentId, codeVerifier })),
    }),
    endpoint({
      method: 'post',
      path: '/v1/token/refresh',
      summary: 'Rotate a refresh token',
      access: 'joined',
      limit: 'refresh',
      attempt: 'token_refresh',
      operation: 'refresh',
      body: Type.Object({ refreshToken: Credential, agentId: Id }),
      responses: { 201: TokenPair },
      check({ header }) {
        const length = header('idempotency-key')?.length ?? 1;
        if (length >= 1 && length <= MAX_IDEMPOTENCY_KEY) return null;
        return badRequest(`Idempotency-Key must have 1 to ${MAX_IDEMPOTENCY_KEY} characters`);
      },
      handle: async ({ caller, body: { refreshToken: presented, agentId }, header }) => {
        const idempotencyKey = header('idempotency-key');
        return created(
          await refreshToken(deps, caller, { refreshToken: presented, agentId, idempotencyKey }),
        );
      },
    }),
    endpoint({
      method: 'post',
      path: '/v1/tokens/revoke',
      summary: 'Revoke one token by its id',
      access: 'developer',
      limit: 'api',
      body: Type.Object({ jti: Id }),
      responses: { 204: null },
      handle: async ({ caller, body }) => noContent(await revokeToken(deps, caller, body.jti)),
    }),
    endpoint({
      method: 'get',
      path: '/v1/revocations/status',
      summary: 'Whether a grant or a token is revoked',
      access: 'developer',
      limit: 'verify',
      query: Type.Object({ grantId: Type.Optional(Type.String()), jti: Type.Optional(Type.String()) }),
      responses: {
        200: Type.Object({ revoked: Type.Boolean(), status: Type.Enum([...REVOCATION_STATUSES]) }),
      },
      handle: async ({ caller, query: { grantId = null, jti = null } }) =>
        ok(await revocationStatus(deps, caller, { grantId, jti }), (status) => ({
          revoked: status !== 'active',
          status,
        })),
    }),
  ];
}
