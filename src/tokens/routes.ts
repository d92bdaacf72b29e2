import { Type } from 'typebox';
import type { Deps } from '../deps.ts';
import { badRequest, notFound } from '../errors.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { created, noContent, ok } from '../http/reply.ts';
import { Credential, Id, Timestamp } from '../http/schemas.ts';
import { exchangeCode } from './exchange-code.ts';
import { createClaimCode } from './exchange-store.ts';
import { createRotateRefreshToken } from './refresh-store.ts';
import { refreshToken } from './refresh-token.ts';
import { REVOCATION_STATUSES, revocationStatus } from './revocation-status.ts';
import { createLoadTokenState, revokeToken } from './store.ts';
import { verifyToken } from './verify-token.ts';

const MAX_IDEMPOTENCY_KEY = 255;

const TokenPair = Type.Object({
  grantToken: Type.String(),
  expiresAt: Timestamp,
  scopes: Type.Array(Type.String()),
  refreshToken: Type.String(),
  grantId: Type.String(),
});

export function tokenRoutes(deps: Deps): Endpoint[] {
  const loadState = createLoadTokenState(deps.db);
  const claimCode = createClaimCode(deps.db);
  const rotate = createRotateRefreshToken(deps.db);
  return [
    endpoint({
      method: 'post',
      path: '/v1/tokens/verify',
      summary: 'Verify a grant token online',
      access: 'joined',
      limit: 'verify',
      readOnly: true,
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
      handle: async ({ keyHash, body }) => ok(await verifyToken(deps, loadState, keyHash, body.token)),
    }),
    endpoint({
      method: 'post',
      path: '/v1/token',
      summary: 'Exchange a code for a grant token',
      access: 'joined',
      limit: 'token',
      attempt: 'token_exchange',
      body: Type.Object({
        code: Credential,
        agentId: Id,
        codeVerifier: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
      }),
      responses: { 201: TokenPair },
      handle: async ({ keyHash, body: { code, agentId, codeVerifier }, agentIs }) =>
        created(await exchangeCode(deps, claimCode, keyHash, { code, agentId, codeVerifier }, agentIs)),
    }),
    endpoint({
      method: 'post',
      path: '/v1/token/refresh',
      summary: 'Rotate a refresh token',
      access: 'joined',
      limit: 'refresh',
      attempt: 'token_refresh',
      body: Type.Object({ refreshToken: Credential, agentId: Id }),
      responses: { 201: TokenPair },
      check({ header }) {
        const length = header('idempotency-key')?.length ?? 1;
        if (length < 1 || length > MAX_IDEMPOTENCY_KEY)
          throw badRequest(`Idempotency-Key must have 1 to ${MAX_IDEMPOTENCY_KEY} characters`);
      },
      handle: async ({ keyHash, body, header, agentIs }) => {
        const idempotencyKey = header('idempotency-key');
        return created(await refreshToken(deps, rotate, keyHash, { ...body, idempotencyKey }, agentIs));
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
      handle: async ({ developer, body }) => {
        const revoked = await revokeToken(deps.db, developer.id, body.jti, new Date(deps.clock.now()));
        if (!revoked) throw notFound('Active token');
        return noContent;
      },
    }),
    endpoint({
      method: 'get',
      path: '/v1/revocations/status',
      summary: 'Whether a grant or a token is revoked',
      access: 'developer',
      limit: 'api',
      query: Type.Object({ grantId: Type.Optional(Type.String()), jti: Type.Optional(Type.String()) }),
      responses: {
        200: Type.Object({ revoked: Type.Boolean(), status: Type.Enum([...REVOCATION_STATUSES]) }),
      },
      handle: async ({ developer, query: { grantId = null, jti = null } }) => {
        if (grantId === null && jti === null) throw badRequest('grantId or jti is required');
        const status = await revocationStatus(deps, developer.id, { grantId, jti });
        return ok({ revoked: status !== 'active', status });
      },
    }),
  ];
}
