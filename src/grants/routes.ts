import { Type } from 'typebox';
import type { Deps } from '../deps.ts';
import { parseDuration } from '../duration.ts';
import { notFound } from '../errors.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { pageOf, pageQuery, pageView } from '../http/pages.ts';
import { created, noContent, ok } from '../http/reply.ts';
import { Duration, GrantToken, Id, SomeScopes, Timestamp } from '../http/schemas.ts';
import { delegateGrant } from './delegate-grant.ts';
import { revokeGrant } from './revoke-grants.ts';
import { grantById, listGrants } from './store.ts';
import { verifyGrant } from './verify-grant.ts';
import { GrantStatus, GrantView, grantView } from './view.ts';

const DEFAULT_DELEGATION_LIFE = '1h';

export const grantRoutes = (deps: Deps): Endpoint[] => [
  endpoint({
    method: 'post',
    path: '/v1/grants/verify',
    summary: 'Whether the grant behind a token is alive',
    access: 'developer',
    limit: 'api',
    readOnly: true,
    body: Type.Object({ token: GrantToken }),
    responses: {
      200: Type.Object({
        active: Type.Boolean(),
        claims: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
        reason: Type.Optional(Type.Enum(['revoked', 'not_found', 'expired'])),
      }),
    },
    handle: async ({ developer, body }) => ok(await verifyGrant(deps, developer.id, body.token)),
  }),
  endpoint({
    method: 'post',
    path: '/v1/grants/delegate',
    summary: 'Make a grant of a grant for a sub-agent',
    access: 'developer',
    limit: 'api',
    body: Type.Object({
      parentGrantToken: GrantToken,
      subAgentId: Id,
      scopes: SomeScopes,
      expiresIn: Type.Optional(Duration),
    }),
    responses: {
      201: Type.Object({
        grantToken: Type.String(),
        expiresAt: Timestamp,
        scopes: Type.Array(Type.String()),
        grantId: Type.String(),
        refreshToken: Type.String(),
      }),
    },
    handle: async ({ developer, body: { expiresIn = DEFAULT_DELEGATION_LIFE, ...body } }) =>
      created(await delegateGrant(deps, developer.id, { ...body, grantSeconds: parseDuration(expiresIn) })),
  }),
  endpoint({
    method: 'get',
    path: '/v1/grants',
    summary: 'Grants, newest first',
    access: 'developer',
    limit: 'api',
    query: pageQuery({
      agentId: Type.Optional(Type.String()),
      principalId: Type.Optional(Type.String()),
      status: Type.Optional(GrantStatus),
    }),
    responses: { 200: pageView({ grants: Type.Array(GrantView) }) },
    handle: async ({ developer, query }) => {
      const page = pageOf(query);
      const { grants, total } = await listGrants(
        deps.db,
        developer.id,
        query,
        page,
        new Date(deps.clock.now()),
      );
      return ok({ grants: grants.map(grantView), total, page: page.page, pageSize: page.pageSize });
    },
  }),
  endpoint({
    method: 'get',
    path: '/v1/grants/:id',
    summary: 'One grant',
    access: 'developer',
    limit: 'api',
    responses: { 200: GrantView },
    handle: async ({ developer, params }) => {
      const grant = await grantById(deps.db, developer.id, params['id'] ?? '', new Date(deps.clock.now()));
      if (!grant) throw notFound('Grant');
      return ok(grantView(grant));
    },
  }),
  endpoint({
    method: 'delete',
    path: '/v1/grants/:id',
    summary: 'Revoke a grant and everything delegated from it',
    access: 'developer',
    limit: 'api',
    responses: { 204: null },
    handle: async ({ developer, params }) => {
      const grantId = params['id'] ?? '';
      await revokeGrant(deps, { developerId: developer.id, grantId, revokedBy: 'developer' });
      return noContent;
    },
  }),
];
