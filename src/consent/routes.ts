/**
 * Consent: the page on which a principal decides about a request for authorization, and the routes behind it.
 * Table: `authorization_requests`, which `authorization` writes.
 * No other room calls this one.
 */
import { Type } from 'typebox';
import { redirectHost } from '../authorization/redirect-uri.ts';
import type { Deps } from '../deps.ts';
import { durationInWords } from '../duration.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { htmlPage, ok, type Reply } from '../http/reply.ts';
import { orNull, Timestamp } from '../http/schemas.ts';
import { agentDid } from '../ids.ts';
import type { Decision } from '../label-values.ts';
import { mapOutcome } from '../outcome.ts';
import { describeScope } from '../pages/scope-descriptions.ts';
import { decideAsPrincipal, decideInSandbox } from './decide.ts';
import { consentPage } from './page.ts';
import { pendingRequest, type RequestState, requestState } from './read-request.ts';
import { type ConsentState, consentStatePage } from './state-page.ts';
import type { ConsentRequest } from './store.ts';

const Nullable = orNull(Type.String());

type ConsentDeps = Pick<Deps, 'db' | 'ids' | 'clock' | 'telemetry'>;

export const consentRoutes = (deps: ConsentDeps): Endpoint[] => [
  endpoint({
    method: 'get',
    path: '/consent',
    summary: 'The page on which a principal decides',
    access: 'public',
    limit: 'consent',
    operation: 'consent',
    query: Type.Object({ req: Type.Optional(Type.String()) }),
    refusalPage: (status) =>
      statePage(status, status === 429 ? 'limited' : status >= 500 ? 'unavailable' : 'unknown'),
    responses: { 200: Type.String() },
    handle: async ({ caller, query: { req = '' } }) =>
      mapOutcome(await requestState(deps, caller, req), pageOfState),
  }),
  endpoint({
    method: 'get',
    path: '/v1/consent/:id',
    summary: 'What a pending request asks for',
    access: 'public',
    limit: 'consent',
    operation: 'consent',
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
    handle: async ({ caller, params }) => ok(await pendingRequest(deps, caller, params['id'] ?? ''), view),
  }),
  publicDecision(deps, 'approve', 'approved'),
  publicDecision(deps, 'deny', 'denied'),
  sandboxDecision(deps, 'approve', 'approved'),
  sandboxDecision(deps, 'deny', 'denied'),
];

const publicDecision = (deps: ConsentDeps, verb: 'approve' | 'deny', decision: Decision): Endpoint =>
  endpoint({
    method: 'post',
    path: `/v1/consent/:id/${verb}`,
    summary: `The principal's decision: ${decision}`,
    access: 'public',
    limit: 'consent',
    operation: 'consent',
    responses: {
      200: Type.Object({
        ...(decision === 'approved' && { code: Type.String() }),
        redirectUri: Nullable,
        state: Nullable,
      }),
    },
    handle: async ({ caller, params }) =>
      ok(
        await decideAsPrincipal(deps, caller, { id: params['id'] ?? '', decision }),
        ({ code, redirectUri, state }) => ({ ...(code !== null && { code }), redirectUri, state }),
      ),
  });

const sandboxDecision = (deps: ConsentDeps, verb: 'approve' | 'deny', decision: Decision): Endpoint =>
  endpoint({
    method: 'post',
    path: `/v1/authorize/:id/${verb}`,
    summary: `Decide for the principal, sandbox developers only: ${decision}`,
    access: 'developer',
    limit: 'api',
    operation: 'consent',
    responses: {
      200: Type.Object({
        requestId: Type.String(),
        status: Type.Literal(decision),
        code: Type.Optional(Type.String()),
      }),
    },
    handle: async ({ caller, params }) => {
      const id = params['id'] ?? '';
      return ok(await decideInSandbox(deps, caller, { id, decision }), ({ code }) => ({
        requestId: id,
        status: decision,
        ...(code !== null && { code }),
      }));
    },
  });

function pageOfState(state: RequestState): Reply {
  if (typeof state !== 'string') return htmlPage(200, consentPage(pageView(state)));
  return statePage(state === 'unknown' ? 404 : 410, state);
}

const view = (request: ConsentRequest) => {
  const { id, agentName, agentId, agentDescription, developerName, scopes, expiresAt } = request;
  return {
    id,
    agentName,
    agentDid: agentDid(agentId),
    agentDescription,
    developerName,
    scopes,
    scopeDescriptions: scopes.map(describeScope),
    expiresAt,
    status: 'pending',
  };
};

function pageView(request: ConsentRequest) {
  const { id, agentId, scopes, grantSeconds, redirectUri } = request;
  return {
    ...request,
    requestId: id,
    agentDid: agentDid(agentId),
    scopes: scopes.map((scope) => ({ scope, description: describeScope(scope) })),
    grantLifeText: durationInWords(grantSeconds),
    // It was judged when the request was made.
    redirectHost: redirectUri === null ? null : redirectHost(new URL(redirectUri)),
  };
}

const statePage = (status: number, state: ConsentState): Reply => htmlPage(status, consentStatePage(state));
