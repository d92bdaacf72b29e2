import { Type } from 'typebox';
import { agentDid } from '../ids.ts';
import type { Deps } from '../deps.ts';
import { durationInWords } from '../duration.ts';
import { notFound, ServiceError } from '../errors.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { ok, page, type Reply } from '../http/reply.ts';
import { Timestamp } from '../http/schemas.ts';
import { describeScope } from '../pages/scope-descriptions.ts';
import { decide } from './decide.ts';
import { consentPage } from './page.ts';
import { parseRedirectUri, redirectHost } from '../authorization/redirect-uri.ts';
import { type ConsentState, consentStatePage } from './state-page.ts';
import { type ConsentRequest, consentRequest, type Decision } from './store.ts';

const Nullable = Type.Union([Type.String(), Type.Null()]);
const gone = () => new ServiceError('GONE', 'The request has expired or was decided');

export const consentRoutes = (deps: Deps): Endpoint[] => [
  endpoint({
    method: 'get',
    path: '/consent',
    summary: 'The page on which a principal decides',
    access: 'public',
    limit: 'consent',
    query: Type.Object({ req: Type.Optional(Type.String()) }),
    refusalPage: (status) =>
      statePage(status, status === 429 ? 'limited' : status >= 500 ? 'unavailable' : 'unknown'),
    responses: { 200: Type.String() },
    handle: async ({ query: { req = '' } }) => {
      const request = await consentRequest(deps.db, req);
      if (!request) return statePage(404, 'unknown');
      if (request.decided) return statePage(410, 'decided');
      if (hasExpired(deps, request)) return statePage(410, 'expired');
      return page(200, consentPage(viewOf(request)));
    },
  }),
  endpoint({
    method: 'get',
    path: '/v1/consent/:id',
    summary: 'What a pending request asks for',
    access: 'public',
    limit: 'consent',
    responses: {
      200: Type.Object({
        id: Type.String(),
        agentName: Type.String(),
        agentDid: Type.String(),
        agentDescription: Type.String(),
        developerName: Type.String(),
        scopes: Type.Array(Type.String()),
        scopeDescriptions: Type.Array(Type.String()),
        expiresAt: Timestamp,
        status: Type.Literal('pending'),
      }),
    },
    handle: async ({ params }) => {
      const request = await consentRequest(deps.db, params['id'] ?? '');
      if (!request) throw notFound('Consent request');
      if (request.decided || hasExpired(deps, request)) throw gone();
      const { id, agentName, agentId, agentDescription, developerName, scopes, expiresAt } = request;
      return ok({
        id,
        agentName,
        agentDid: agentDid(agentId),
        agentDescription,
        developerName,
        scopes,
        scopeDescriptions: scopes.map(describeScope),
        expiresAt,
        status: 'pending',
      });
    },
  }),
  publicDecision(deps, 'approve', 'approved'),
  publicDecision(deps, 'deny', 'denied'),
  sandboxDecision(deps, 'approve', 'approved'),
  sandboxDecision(deps, 'deny', 'denied'),
];

/** Whoever holds the request's id may decide: until then it is a bearer secret. */
const publicDecision = (deps: Deps, verb: 'approve' | 'deny', decision: Decision): Endpoint =>
  endpoint({
    method: 'post',
    path: `/v1/consent/:id/${verb}`,
    summary: `The principal's decision: ${decision}`,
    access: 'public',
    limit: 'consent',
    responses: {
      200: Type.Object({
        ...(decision === 'approved' && { code: Type.String() }),
        redirectUri: Nullable,
        state: Nullable,
      }),
    },
    handle: async ({ params }) => {
      const outcome = await decide(deps, { id: params['id'] ?? '', developerId: null }, decision);
      if (!outcome.found) throw notFound('Consent request');
      if (!outcome.decided) throw gone();
      const { code, redirectUri, state } = outcome;
      return ok({ ...(code !== null && { code }), redirectUri, state });
    },
  });

/** Sandbox developers may decide in the principal's place. */
const sandboxDecision = (deps: Deps, verb: 'approve' | 'deny', decision: Decision): Endpoint =>
  endpoint({
    method: 'post',
    path: `/v1/authorize/:id/${verb}`,
    summary: `Decide for the principal, sandbox developers only: ${decision}`,
    access: 'developer',
    limit: 'api',
    responses: {
      200: Type.Object({
        requestId: Type.String(),
        status: Type.Literal(decision),
        code: Type.Optional(Type.String()),
      }),
    },
    handle: async ({ developer, params }) => {
      if (developer.mode !== 'sandbox')
        throw new ServiceError('CONSENT_REQUIRED', 'Only the principal can decide on a live request');
      const requestId = params['id'] ?? '';
      const outcome = await decide(deps, { id: requestId, developerId: developer.id }, decision);
      if (!outcome.found || !outcome.decided) throw notFound('Pending request');
      return ok({ requestId, status: decision, ...(outcome.code !== null && { code: outcome.code }) });
    },
  });

const hasExpired = ({ clock }: Deps, { expiresAt }: ConsentRequest) => expiresAt.getTime() <= clock.now();

function viewOf(request: ConsentRequest) {
  const { id, agentId, scopes, grantSeconds, redirectUri } = request;
  const target = redirectUri === null ? null : parseRedirectUri(redirectUri);
  return {
    ...request,
    requestId: id,
    agentDid: agentDid(agentId),
    scopes: scopes.map((scope) => ({ scope, description: describeScope(scope) })),
    grantLifeText: durationInWords(grantSeconds),
    redirectHost: target && redirectHost(target),
  };
}

const statePage = (status: number, state: ConsentState): Reply => page(status, consentStatePage(state));
