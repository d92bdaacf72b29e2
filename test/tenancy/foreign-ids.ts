import type { World } from './world.ts';

/** A request; without a key of its own, the stranger's. */
interface Question {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly key?: string;
}
const BAD = [400, { code: 'BAD_REQUEST' }] as const;
const FORBIDDEN = [403, { code: 'FORBIDDEN' }] as const;
const UNKNOWN = [404, { code: 'NOT_FOUND' }] as const;
type Expected = readonly [status: number, body: object];

const asStranger = (method: string, path: string, body?: unknown): Question => ({ method, path, body });
const asPrincipal = (key: string, method: string, path: string): Question => ({ method, path, key });
const post =
  (path: string, body: (world: World) => unknown) =>
  (of: World): Question =>
    asStranger('POST', path, body(of));
/** The standard endpoints take forms, and answer for another developer's token as for one that nobody knows. */
const form =
  (path: string, tokenOf: (world: World) => string) =>
  (of: World): Question =>
    asStranger('POST', path, `token=${tokenOf(of)}`);
const authorize = (agentId: string) => ({ agentId, principalId: 'p', scopes: ['s'] });

/** `METHOD template name`, where the name is the path parameter, body member or query member that holds the id. */
export const FOREIGN_IDS: readonly (readonly [
  what: string,
  expected: Expected,
  question: (world: World) => Question,
])[] = [
  ['GET /v1/agents/{id} id', UNKNOWN, ({ owner }) => asStranger('GET', `/v1/agents/${owner.agentId}`)],
  [
    'PATCH /v1/agents/{id} id',
    UNKNOWN,
    ({ owner }) => asStranger('PATCH', `/v1/agents/${owner.agentId}`, { name: 'Mine' }),
  ],
  [
    'POST /v1/agents/{id} id',
    UNKNOWN,
    ({ owner }) => asStranger('POST', `/v1/agents/${owner.agentId}`, { status: 'suspended' }),
  ],
  // It is a place in the feed, which every developer may name. The entries are the stranger's own: none.
  [
    'GET /v1/revocations pageToken',
    [200, { entries: [] }],
    () => asStranger('GET', '/v1/revocations?pageToken=999999.0'),
  ],
  ['DELETE /v1/keys/{id} id', UNKNOWN, ({ ownersKeyId }) => asStranger('DELETE', `/v1/keys/${ownersKeyId}`)],
  ['DELETE /v1/agents/{id} id', UNKNOWN, ({ owner }) => asStranger('DELETE', `/v1/agents/${owner.agentId}`)],
  [
    'PATCH /v1/anomalies/{id}/acknowledge id',
    UNKNOWN,
    ({ anomalyId }) => asStranger('PATCH', `/v1/anomalies/${anomalyId}/acknowledge`),
  ],
  ['POST /v1/authorize agentId', UNKNOWN, post('/v1/authorize', ({ owner }) => authorize(owner.agentId))],
  ...(['approve', 'deny'] as const).map(
    (verb) =>
      [
        `POST /v1/authorize/{id}/${verb} id`,
        UNKNOWN,
        ({ pendingId }: World) => asStranger('POST', `/v1/authorize/${pendingId}/${verb}`),
      ] as const,
  ),
  [
    'POST /v1/token code',
    BAD,
    post('/v1/token', ({ stranger, code }) => ({ code, agentId: stranger.agentId })),
  ],
  [
    'POST /v1/token code (used)',
    BAD,
    post('/v1/token', ({ stranger, usedCode }) => ({ code: usedCode, agentId: stranger.agentId })),
  ],
  [
    'POST /v1/token agentId',
    BAD,
    post('/v1/token', ({ owner, usedCode }) => ({ code: usedCode, agentId: owner.agentId })),
  ],
  [
    'POST /v1/token/refresh refreshToken',
    BAD,
    post('/v1/token/refresh', ({ stranger, pair: { refreshToken } }) => ({
      refreshToken,
      agentId: stranger.agentId,
    })),
  ],
  [
    'POST /v1/token/refresh refreshToken (used)',
    BAD,
    post('/v1/token/refresh', (of) => ({ refreshToken: of.usedRefreshToken, agentId: of.owner.agentId })),
  ],
  [
    'POST /v1/token/refresh agentId',
    BAD,
    post('/v1/token/refresh', ({ own, owner }) => ({
      refreshToken: own.refreshToken,
      agentId: owner.agentId,
    })),
  ],
  [
    'POST /v1/grants/revoke agentId',
    [200, { revoked: 0, dryRun: false }],
    post('/v1/grants/revoke', ({ owner }) => ({ agentId: owner.agentId })),
  ],
  [
    'POST /v1/tokens/verify token',
    [200, { valid: false }],
    post('/v1/tokens/verify', ({ pair }) => ({ token: pair.grantToken })),
  ],
  [
    'POST /oauth/introspect token',
    [200, { active: false }],
    form('/oauth/introspect', ({ pair }) => pair.grantToken),
  ],
  [
    'POST /oauth/introspect token (refresh)',
    [200, { active: false }],
    form('/oauth/introspect', ({ pair }) => pair.refreshToken),
  ],
  ['POST /oauth/revoke token', [200, {}], form('/oauth/revoke', ({ pair }) => pair.grantToken)],
  ['POST /oauth/revoke token (refresh)', [200, {}], form('/oauth/revoke', ({ pair }) => pair.refreshToken)],
  ['POST /v1/tokens/revoke jti', UNKNOWN, post('/v1/tokens/revoke', ({ jti }) => ({ jti }))],
  [
    'GET /v1/revocations/status jti',
    [200, { revoked: true, status: 'unknown' }],
    ({ jti }) => asStranger('GET', `/v1/revocations/status?jti=${jti}`),
  ],
  [
    'GET /v1/revocations/status grantId',
    [200, { revoked: true, status: 'unknown' }],
    ({ pair }) => asStranger('GET', `/v1/revocations/status?grantId=${pair.grantId}`),
  ],
  [
    'POST /v1/grants/verify token',
    [200, { active: false, reason: 'not_found' }],
    post('/v1/grants/verify', ({ pair }) => ({ token: pair.grantToken })),
  ],
  [
    'POST /v1/grants/delegate parentGrantToken',
    FORBIDDEN,
    post('/v1/grants/delegate', ({ stranger, pair }) => ({
      parentGrantToken: pair.grantToken,
      subAgentId: stranger.agentId,
      scopes: pair.scopes,
    })),
  ],
  [
    'POST /v1/grants/delegate subAgentId',
    UNKNOWN,
    post('/v1/grants/delegate', ({ own, owner }) => ({
      parentGrantToken: own.grantToken,
      subAgentId: owner.agentId,
      scopes: own.scopes,
    })),
  ],
  [
    'GET /v1/grants agentId',
    [200, { grants: [], total: 0 }],
    ({ owner }) => asStranger('GET', `/v1/grants?agentId=${owner.agentId}`),
  ],
  ['GET /v1/grants/{id} id', UNKNOWN, ({ pair }) => asStranger('GET', `/v1/grants/${pair.grantId}`)],
  ['DELETE /v1/grants/{id} id', UNKNOWN, ({ pair }) => asStranger('DELETE', `/v1/grants/${pair.grantId}`)],
  [
    'POST /v1/audit/log agentId',
    [400, { code: 'BAD_REQUEST' }],
    post('/v1/audit/log', ({ own, owner }) => ({
      agentId: owner.agentId,
      grantId: own.grantId,
      action: 'a',
    })),
  ],
  [
    'POST /v1/audit/log grantId',
    [400, { code: 'BAD_REQUEST' }],
    post('/v1/audit/log', ({ stranger, pair }) => ({
      agentId: stranger.agentId,
      grantId: pair.grantId,
      action: 'a',
    })),
  ],
  [
    'POST /v1/audit/log agentId (with the grant)',
    [400, { code: 'BAD_REQUEST' }],
    post('/v1/audit/log', ({ owner, pair }) => ({
      agentId: owner.agentId,
      grantId: pair.grantId,
      action: 'a',
    })),
  ],
  [
    'GET /v1/audit/entries agentId',
    [200, { entries: [], total: 0 }],
    ({ owner }) => asStranger('GET', `/v1/audit/entries?agentId=${owner.agentId}`),
  ],
  [
    'GET /v1/compliance/export/audit agentId',
    [200, { entries: [], total: 0 }],
    ({ owner }) => asStranger('GET', `/v1/compliance/export/audit?agentId=${owner.agentId}`),
  ],
  [
    'GET /v1/audit/entries grantId',
    [200, { entries: [], total: 0 }],
    ({ pair }) => asStranger('GET', `/v1/audit/entries?grantId=${pair.grantId}`),
  ],
  [
    'POST /v1/policies agentId',
    UNKNOWN,
    post('/v1/policies', ({ owner }) => ({ name: 'P', effect: 'deny', agentId: owner.agentId })),
  ],
  ['GET /v1/policies/{id} id', UNKNOWN, ({ policyId }) => asStranger('GET', `/v1/policies/${policyId}`)],
  [
    'PATCH /v1/policies/{id} id',
    UNKNOWN,
    ({ policyId }) => asStranger('PATCH', `/v1/policies/${policyId}`, { effect: 'allow' }),
  ],
  [
    'PATCH /v1/policies/{id} agentId',
    UNKNOWN,
    ({ owner, ownPolicyId }) =>
      asStranger('PATCH', `/v1/policies/${ownPolicyId}`, { agentId: owner.agentId }),
  ],
  [
    'DELETE /v1/policies/{id} id',
    UNKNOWN,
    ({ policyId }) => asStranger('DELETE', `/v1/policies/${policyId}`),
  ],
  [
    'DELETE /v1/principal/grants/{id} id',
    UNKNOWN,
    ({ strangersSession, pair }) =>
      asPrincipal(strangersSession, 'DELETE', `/v1/principal/grants/${pair.grantId}`),
  ],
  [
    'DELETE /v1/principal/grants/{id} id (of another principal)',
    UNKNOWN,
    ({ otherPrincipalsSession, pair }) =>
      asPrincipal(otherPrincipalsSession, 'DELETE', `/v1/principal/grants/${pair.grantId}`),
  ],
  ['GET /v1/webhooks/{id} id', UNKNOWN, (of) => asStranger('GET', `/v1/webhooks/${of.webhookId}`)],
  ['DELETE /v1/webhooks/{id} id', UNKNOWN, (of) => asStranger('DELETE', `/v1/webhooks/${of.webhookId}`)],
  [
    'POST /v1/webhooks/{id}/rotate-secret id',
    UNKNOWN,
    (of) => asStranger('POST', `/v1/webhooks/${of.webhookId}/rotate-secret`),
  ],
  [
    'GET /v1/webhooks/{id}/deliveries id',
    UNKNOWN,
    (of) => asStranger('GET', `/v1/webhooks/${of.webhookId}/deliveries`),
  ],
  ['GET /v1/audit/{id} id', UNKNOWN, ({ entryId }) => asStranger('GET', `/v1/audit/${entryId}`)],
];
