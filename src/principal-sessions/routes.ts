import { Type } from 'typebox';
import { listEntries } from '../audit/list-entries.ts';
import { AuditPageView } from '../audit/view.ts';
import type { Deps } from '../deps.ts';
import { parseDuration } from '../duration.ts';
import { badRequest, unauthorized } from '../errors.ts';
import { grantsOfPrincipal, revokeGrantOfPrincipal } from '../grants/grants-of-principal.ts';
import { GrantView, grantView } from '../grants/view.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { pageOf, pageQuery } from '../http/pages.ts';
import { created, noContent, ok, page } from '../http/reply.ts';
import { Duration, PrincipalId, Timestamp } from '../http/schemas.ts';
import { describeScope } from '../pages/scope-descriptions.ts';
import { permissionsPage, permissionsRefusalPage } from './page.ts';
import { developerName } from './store.ts';

const DEFAULT_SESSION_LIFE = '1h';
/** What a session can do cannot be taken back before it ends. */
const MAX_SESSION_SECONDS = 86_400;

const PrincipalGrantView = Type.Object({
  ...GrantView.properties,
  agentName: Type.String(),
  scopeDescriptions: Type.Array(Type.String()),
  lastUsedAt: Type.Union([Timestamp, Type.Null()]),
});

export const principalSessionRoutes = (deps: Deps): Endpoint[] => [
  endpoint({
    method: 'post',
    path: '/v1/principal-sessions',
    summary: 'Let a principal see and take back what he permitted',
    access: 'developer',
    limit: 'api',
    readOnly: true,
    body: Type.Object({ principalId: PrincipalId, expiresIn: Type.Optional(Duration) }),
    responses: {
      201: Type.Object({
        sessionToken: Type.String(),
        dashboardUrl: Type.String(),
        expiresAt: Timestamp,
      }),
    },
    check: ({ body }) => void sessionSeconds(body.expiresIn),
    handle: async ({ developer, body: { principalId, expiresIn } }) => {
      const principal = { developerId: developer.id, principalId };
      const { token, expiresAt } = await deps.sessionTokens.issue(principal, sessionSeconds(expiresIn));
      return created({
        sessionToken: token,
        dashboardUrl: `${deps.baseUrl()}/permissions#session=${token}`,
        expiresAt,
      });
    },
  }),
  endpoint({
    method: 'get',
    path: '/permissions',
    summary: 'The page on which a principal sees and takes back permissions',
    access: 'public',
    limit: 'consent',
    refusalPage: (status) => page(status, permissionsRefusalPage(status)),
    responses: { 200: Type.String() },
    handle: async () => page(200, permissionsPage()),
  }),
  endpoint({
    method: 'get',
    path: '/v1/principal/grants',
    summary: "The principal's grants, active ones first, then newest first",
    access: 'principal',
    limit: 'consent',
    responses: {
      200: Type.Object({
        principalId: Type.String(),
        developerName: Type.String(),
        grants: Type.Array(PrincipalGrantView),
        total: Type.Integer(),
      }),
    },
    handle: async ({ principal }) => {
      const [name, { grants, total }] = await Promise.all([
        developerName(deps.db, principal.developerId),
        grantsOfPrincipal(deps, principal),
      ]);
      if (name === undefined) throw unauthorized('session token');
      return ok({
        principalId: principal.principalId,
        developerName: name,
        grants: grants.map((grant) => ({
          ...grantView(grant),
          scopeDescriptions: grant.scopes.map(describeScope),
        })),
        total,
      });
    },
  }),
  endpoint({
    method: 'delete',
    path: '/v1/principal/grants/:id',
    summary: 'Take back a grant and everything delegated from it',
    access: 'principal',
    limit: 'consent',
    responses: { 204: null },
    handle: async ({ principal, params }) => {
      await revokeGrantOfPrincipal(deps, principal, params['id'] ?? '');
      return noContent;
    },
  }),
  endpoint({
    method: 'get',
    path: '/v1/principal/audit',
    summary: 'What agents are on record to have done for the principal, newest first',
    access: 'principal',
    limit: 'consent',
    query: pageQuery({}),
    responses: { 200: AuditPageView },
    handle: async ({ principal: { developerId, principalId }, query }) =>
      ok(await listEntries(deps, developerId, { principalId }, pageOf(query))),
  }),
];

/** @throws BAD_REQUEST for a life that is no duration or too long */
function sessionSeconds(expiresIn = DEFAULT_SESSION_LIFE): number {
  const seconds = parseDuration(expiresIn);
  if (seconds > MAX_SESSION_SECONDS) throw badRequest('expiresIn must be at most 24h');
  return seconds;
}
