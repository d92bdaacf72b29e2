/**
 * Principal sessions: the page on which a person sees and revokes the permissions of agents, and the routes behind it.
 * A developer opens a session. This room has no table, because the signed token contains the whole session. No other
 * room calls this one.
 */
import { Type } from 'typebox';
import { listEntries } from '../audit/read-entries.ts';
import { AuditPageView, auditPageView } from '../audit/view.ts';
import type { Deps } from '../deps.ts';
import { durationSeconds, faultOfDuration } from '../duration.ts';
import { badRequest, type ServiceError } from '../errors.ts';
import { revokeGrantOfPrincipal } from '../grants/grants-of-principal.ts';
import type { RevokeDeps } from '../grants/revoke-grants.ts';
import { GrantView, grantView } from '../grants/view.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { faultOfPage, type Page, pageInfo, pageOf, pageQuery, pageView } from '../http/pagination.ts';
import { created, htmlPage, noContent, ok } from '../http/reply.ts';
import { Duration, orNull, PrincipalId, Timestamp } from '../http/schemas.ts';
import { done } from '../outcome.ts';
import { describeScope } from '../pages/scope-descriptions.ts';
import { listPermissions, type Permissions } from './list-permissions.ts';
import { openSession } from './open-session.ts';
import { permissionsPage, permissionsRefusalPage } from './page.ts';
import type { SessionTokens } from './session-token.ts';

const DEFAULT_SESSION_LIFE = '1h';
/** A session cannot be revoked before it ends, so its life is limited. */
const MAX_SESSION_SECONDS = 86_400;

const PrincipalGrantView = Type.Object({
  ...GrantView.properties,
  agentName: Type.String(),
  agentDescription: Type.String(),
  scopeDescriptions: Type.Array(Type.String()),
  lastUsedAt: orNull(Timestamp),
});

type SessionDeps = RevokeDeps & Pick<Deps, 'baseUrl'> & { readonly sessionTokens: SessionTokens };

export const principalSessionRoutes = (deps: SessionDeps): Endpoint[] => [
  endpoint({
    method: 'post',
    path: '/v1/principal-sessions',
    summary: 'Let a principal see and take back what they permitted',
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
    check: ({ body: { expiresIn } }) => (expiresIn === undefined ? null : faultOfLife(expiresIn)),
    handle: async ({ caller, body: { principalId, expiresIn = DEFAULT_SESSION_LIFE } }) =>
      created(await openSession(deps, caller, { principalId, seconds: durationSeconds(expiresIn) })),
  }),
  endpoint({
    method: 'get',
    path: '/permissions',
    summary: 'The page on which a principal sees and takes back permissions',
    access: 'public',
    limit: 'consent',
    refusalPage: (status) => htmlPage(status, permissionsRefusalPage(status)),
    responses: { 200: Type.String() },
    handle: async () => done(htmlPage(200, permissionsPage())),
  }),
  endpoint({
    method: 'get',
    path: '/v1/principal/grants',
    large: true,
    summary: "The principal's grants, active ones first, then newest first",
    access: 'principal',
    limit: 'consent',
    query: pageQuery({}),
    responses: {
      200: pageView({
        principalId: Type.String(),
        developerName: Type.String(),
        grants: Type.Array(PrincipalGrantView),
      }),
    },
    check: ({ query }) => faultOfPage(query),
    handle: async ({ caller, query }) => {
      const page = pageOf(query);
      return ok(await listPermissions(deps, caller, page), viewOf(page));
    },
  }),
  endpoint({
    method: 'delete',
    path: '/v1/principal/grants/:id',
    summary: 'Take back a grant and everything delegated from it',
    access: 'principal',
    limit: 'consent',
    responses: { 204: null },
    handle: async ({ caller, params }) =>
      noContent(await revokeGrantOfPrincipal(deps, caller, params['id'] ?? '')),
  }),
  endpoint({
    method: 'get',
    path: '/v1/principal/audit',
    large: true,
    summary: 'What agents are on record to have done for the principal, newest first',
    access: 'principal',
    limit: 'consent',
    query: pageQuery({}),
    responses: { 200: AuditPageView },
    check: ({ query }) => faultOfPage(query),
    handle: async ({ caller: { developerId, principalId }, query }) => {
      const page = pageOf(query);
      const entries = await listEntries(deps, { id: developerId }, { filter: { principalId }, page });
      return ok(entries, auditPageView(page));
    },
  }),
];

function faultOfLife(expiresIn: string): ServiceError | null {
  const fault = faultOfDuration(expiresIn);
  if (fault) return fault;
  return durationSeconds(expiresIn) <= MAX_SESSION_SECONDS
    ? null
    : badRequest('expiresIn must be at most 24h');
}

const viewOf =
  (page: Page) =>
  ({ grants, total, ...permissions }: Permissions) => ({
    ...permissions,
    grants: grants.map((grant) => ({
      ...grantView(grant),
      scopeDescriptions: grant.scopes.map(describeScope),
    })),
    ...pageInfo(page, total),
  });
