/**
 * Grants: the recorded consent, its delegation to other agents, and its revocation.
 * Tables: `grants`; `removed_grants` for the counts of removed rows; `removals` and `removal_grants` for those that are dead
 * and wait for the job that revokes their rows.
 * `tokens`, `agents` and `principal-sessions` revoke through the use cases of this room. No other room does.
 */
import { Type } from 'typebox';
import { durationSeconds, faultOfDuration } from '../duration.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { faultOfPage, pageInfo, pageOf, pageQuery, pageView } from '../http/pagination.ts';
import { created, noContent, ok } from '../http/reply.ts';
import { Duration, GrantToken, Id, PrincipalId, SomeScopes, Timestamp } from '../http/schemas.ts';
import { faultOfTimes, timesOf } from '../http/time-range.ts';
import { type DelegateDeps, delegateGrant } from './delegate-grant.ts';
import { ownGrant, ownGrants } from './read-grants.ts';
import { type RevokeDeps, revokeGrant } from './revoke-grants.ts';
import { faultOfStop, stopGrants } from './stop-grants.ts';
import { verifyGrant } from './verify-grant.ts';
import { GrantStatus, GrantView, grantView } from './view.ts';

const DEFAULT_DELEGATION_LIFE = '1h';

export const grantRoutes = (deps: DelegateDeps & RevokeDeps): Endpoint[] => [
  endpoint({
    method: 'post',
    path: '/v1/grants/verify',
    summary: 'Whether the grant behind a token is alive',
    access: 'developer',
    limit: 'verify',
    readOnly: true,
    body: Type.Object({ token: GrantToken }),
    responses: {
      200: Type.Object({
        active: Type.Boolean(),
        claims: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
        reason: Type.Optional(Type.Enum(['revoked', 'not_found', 'expired'])),
      }),
    },
    handle: async ({ caller, body }) => ok(await verifyGrant(deps, caller, body.token)),
  }),
  endpoint({
    method: 'post',
    path: '/v1/grants/delegate',
    summary: 'Make a grant of a grant for a sub-agent',
    access: 'developer',
    limit: 'api',
    operation: 'delegate',
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
        grantExpiresAt: Timestamp,
        scopes: Type.Array(Type.String()),
        grantId: Type.String(),
        refreshToken: Type.String(),
      }),
    },
    check: ({ body: { expiresIn } }) => (expiresIn === undefined ? null : faultOfDuration(expiresIn)),
    handle: async ({ caller, body: { expiresIn = DEFAULT_DELEGATION_LIFE, ...body } }) =>
      created(await delegateGrant(deps, caller, { ...body, grantSeconds: durationSeconds(expiresIn) })),
  }),
  endpoint({
    method: 'post',
    path: '/v1/grants/revoke',
    summary: 'The emergency stop: revoke all grants of a principal, of an agent, or of the developer',
    access: 'developer',
    limit: 'api',
    body: Type.Object({
      principalId: Type.Optional(PrincipalId),
      agentId: Type.Optional(Id),
      all: Type.Optional(Type.Boolean()),
      dryRun: Type.Optional(Type.Boolean({ description: 'true: only count' })),
    }),
    responses: {
      200: Type.Object({
        revoked: Type.Integer({
          description:
            'How many grants were alive: exact up to 100,000, or to 10,000 while an earlier removal is not worked off',
        }),
        revokedIsEstimate: Type.Optional(Type.Literal(true, { description: 'There were at least so many' })),
        dryRun: Type.Boolean(),
      }),
    },
    check: ({ body }) => faultOfStop(body),
    handle: async ({ caller, body: { principalId, agentId, dryRun = false } }) =>
      ok(await stopGrants(deps, caller, { principalId, agentId, dryRun })),
  }),
  endpoint({
    method: 'get',
    path: '/v1/grants',
    large: true,
    summary: 'Grants, newest first',
    access: 'developer',
    limit: 'api',
    query: pageQuery({
      agentId: Type.Optional(Type.String()),
      principalId: Type.Optional(Type.String()),
      status: Type.Optional(GrantStatus),
      since: Type.Optional(Type.String()),
      until: Type.Optional(Type.String()),
    }),
    responses: { 200: pageView({ grants: Type.Array(GrantView) }) },
    check: ({ query }) =>
      faultOfTimes(query) ?? faultOfPage(query, ['agentId', 'principalId', 'status', 'since', 'until']),
    handle: async ({ caller, query }) => {
      const page = pageOf(query);
      return ok(
        await ownGrants(deps, caller, { filter: { ...query, ...timesOf(query) }, page }),
        ({ grants, total }) => ({
          grants: grants.map(grantView),
          ...pageInfo(page, total),
        }),
      );
    },
  }),
  endpoint({
    method: 'get',
    path: '/v1/grants/:id',
    summary: 'One grant',
    access: 'developer',
    limit: 'api',
    responses: { 200: GrantView },
    handle: async ({ caller, params }) => ok(await ownGrant(deps, caller, params['id'] ?? ''), grantView),
  }),
  endpoint({
    method: 'delete',
    path: '/v1/grants/:id',
    summary: 'Revoke a grant and everything delegated from it',
    access: 'developer',
    limit: 'api',
    responses: { 204: null },
    handle: async ({ caller, params }) => noContent(await revokeGrant(deps, caller, params['id'] ?? '')),
  }),
];
