import { decodeJwt } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rowsByCallers } from './support/fingerprint.ts';
import { anomalyOf, newParty, type Party, type TokenPair } from './support/flow.ts';
import { type Answer, startService, type TestService } from './support/service.ts';

/** What one developer has, all of it alive, and things that were used once already. */
interface World {
  readonly owner: Party;
  readonly pair: TokenPair;
  readonly jti: string;
  readonly entryId: string;
  readonly pendingId: string;
  readonly code: string;
  readonly usedCode: string;
  readonly usedRefreshToken: string;
  readonly policyId: string;
  readonly webhookId: string;
  readonly anomalyId: string;
}

let service: TestService;
let stranger: Party;
let own: TokenPair;
let ownPolicyId: string;
let world: World;
beforeAll(async () => {
  service = await startService();
  // Sandbox developers may do more than live ones.
  stranger = await newParty(service, 'sandbox');
  own = await stranger.grant();
  const ownPolicy = await asStranger('POST', '/v1/policies', {
    name: 'P',
    effect: 'deny',
    principalId: 'nobody',
  });
  ownPolicyId = ownPolicy.body.id;
  const owner = await newParty(service, 'sandbox');
  const usedCode = await owner.consent();
  const first = await owner.exchange(usedCode);
  const send = (path: string, body: unknown) => service.request('POST', path, { key: owner.key, body });
  const pair = (await send('/v1/token/refresh', { refreshToken: first.refreshToken, agentId: owner.agentId }))
    .body;
  const entry = await send('/v1/audit/log', {
    agentId: owner.agentId,
    grantId: pair.grantId,
    action: 'mail.sent',
  });
  const policy = await send('/v1/policies', { name: 'P', effect: 'deny', principalId: 'nobody' });
  const webhook = await send('/v1/webhooks', { url: 'https://hooks.invalid/', events: ['grant.revoked'] });
  world = {
    owner,
    pair,
    jti: String(decodeJwt(pair.grantToken).jti),
    entryId: entry.body.entryId,
    pendingId: (await owner.authorize()).authRequestId,
    code: await owner.consent(),
    usedCode,
    usedRefreshToken: first.refreshToken,
    policyId: policy.body.id,
    webhookId: webhook.body.id,
    anomalyId: await anomalyOf(service, owner),
  };
  const session = async (key: string, principalId: string) =>
    (await service.request('POST', '/v1/principal-sessions', { key, body: { principalId } })).body
      .sessionToken;
  strangersSession = await session(stranger.key, 'user_1');
  otherPrincipalsSession = await session(owner.key, 'user_2');
});
afterAll(() => service.stop());

/** The stranger's session for a principal of the same name as the owner's. */
let strangersSession: string;
/** The owner's session for another of his principals. */
let otherPrincipalsSession: string;
const asPrincipal = (key: string, method: string, path: string): Promise<Answer> =>
  service.request(method, path, { key });

const asStranger = (method: string, path: string, body?: unknown): Promise<Answer> =>
  service.request(method, path, { key: stranger.key, body });

/** Every row of every table, and the counters of what happened. */
async function everything(): Promise<unknown> {
  const { sql } = service.database;
  const tables = await sql<{ name: string }[]>`
    select table_name as name from information_schema.tables where table_schema = 'public' order by 1`;
  const rows = await Promise.all(
    tables.map(async ({ name }) => {
      const of = await sql.unsafe<{ row: string }[]>(
        `select t::text as row from (${rowsByCallers(name)}) t order by 1`,
      );
      return [name, ...of.map(({ row }) => row)];
    }),
  );
  const revoked = (await service.scrape()).value('grantex_grants_revoked_total');
  return { rows, revoked };
}

type Ask = (world: World) => Promise<Answer>;
const BAD = [400, { code: 'BAD_REQUEST' }] as const;
const FORBIDDEN = [403, { code: 'FORBIDDEN' }] as const;
const UNKNOWN = [404, { code: 'NOT_FOUND' }] as const;
type Expected = readonly [status: number, body: object];

const post = (path: string, body: (world: World) => unknown): Ask => {
  return (of) => asStranger('POST', path, body(of));
};
const authorize = (agentId: string) => ({ agentId, principalId: 'p', scopes: ['s'] });

/** `METHOD template name`, where the name is the path parameter, body member or query member that holds the id. */
const TABLE: readonly (readonly [what: string, expected: Expected, ask: Ask])[] = [
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
  ['POST /v1/token code', BAD, post('/v1/token', ({ code }) => ({ code, agentId: stranger.agentId }))],
  [
    'POST /v1/token code (used)',
    BAD,
    post('/v1/token', ({ usedCode }) => ({ code: usedCode, agentId: stranger.agentId })),
  ],
  [
    'POST /v1/token agentId',
    BAD,
    post('/v1/token', ({ owner, usedCode }) => ({ code: usedCode, agentId: owner.agentId })),
  ],
  [
    'POST /v1/token/refresh refreshToken',
    BAD,
    post('/v1/token/refresh', ({ pair: { refreshToken } }) => ({ refreshToken, agentId: stranger.agentId })),
  ],
  [
    'POST /v1/token/refresh refreshToken (used)',
    BAD,
    post('/v1/token/refresh', (of) => ({ refreshToken: of.usedRefreshToken, agentId: of.owner.agentId })),
  ],
  [
    'POST /v1/token/refresh agentId',
    BAD,
    post('/v1/token/refresh', ({ owner }) => ({ refreshToken: own.refreshToken, agentId: owner.agentId })),
  ],
  [
    'POST /v1/tokens/verify token',
    [200, { valid: false }],
    post('/v1/tokens/verify', ({ pair }) => ({ token: pair.grantToken })),
  ],
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
    post('/v1/grants/delegate', ({ pair }) => ({
      parentGrantToken: pair.grantToken,
      subAgentId: stranger.agentId,
      scopes: pair.scopes,
    })),
  ],
  [
    'POST /v1/grants/delegate subAgentId',
    UNKNOWN,
    post('/v1/grants/delegate', ({ owner }) => ({
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
    UNKNOWN,
    post('/v1/audit/log', ({ owner }) => ({ agentId: owner.agentId, grantId: own.grantId, action: 'a' })),
  ],
  [
    'POST /v1/audit/log grantId',
    UNKNOWN,
    post('/v1/audit/log', ({ pair }) => ({
      agentId: stranger.agentId,
      grantId: pair.grantId,
      action: 'a',
    })),
  ],
  [
    'POST /v1/audit/log agentId (with the grant)',
    UNKNOWN,
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
    ({ owner }) => asStranger('PATCH', `/v1/policies/${ownPolicyId}`, { agentId: owner.agentId }),
  ],
  [
    'DELETE /v1/policies/{id} id',
    UNKNOWN,
    ({ policyId }) => asStranger('DELETE', `/v1/policies/${policyId}`),
  ],
  [
    'DELETE /v1/principal/grants/{id} id',
    UNKNOWN,
    ({ pair }) => asPrincipal(strangersSession, 'DELETE', `/v1/principal/grants/${pair.grantId}`),
  ],
  [
    'DELETE /v1/principal/grants/{id} id (of another principal)',
    UNKNOWN,
    ({ pair }) => asPrincipal(otherPrincipalsSession, 'DELETE', `/v1/principal/grants/${pair.grantId}`),
  ],
  ['DELETE /v1/webhooks/{id} id', UNKNOWN, (of) => asStranger('DELETE', `/v1/webhooks/${of.webhookId}`)],
  [
    'GET /v1/webhooks/{id}/deliveries id',
    UNKNOWN,
    (of) => asStranger('GET', `/v1/webhooks/${of.webhookId}/deliveries`),
  ],
  ['GET /v1/audit/{id} id', UNKNOWN, ({ entryId }) => asStranger('GET', `/v1/audit/${entryId}`)],
];

test.each(TABLE)(
  "%s of another developer's: as if it were not there, and nothing changes",
  async (...row) => {
    const [, [status, body], ask] = row;
    const before = await everything();
    const answer = await ask(world);
    expect([answer.status, answer.body]).toEqual([status, expect.objectContaining(body)]);
    const told = JSON.stringify(answer.body);
    for (const secret of [world.owner.developerId, world.pair.grantId, world.jti])
      expect(told).not.toContain(secret);
    expect(await everything()).toEqual(before);
  },
);

test('a live developer is told no more of a foreign request than of his own', async () => {
  const live = await newParty(service);
  const ids = [world.pendingId, (await live.authorize()).authRequestId, 'areq_unknown'];
  const before = await everything();
  for (const id of ids)
    for (const verb of ['approve', 'deny']) {
      const { status, body } = await service.request('POST', `/v1/authorize/${id}/${verb}`, {
        key: live.key,
      });
      expect([status, body.code]).toEqual([403, 'CONSENT_REQUIRED']);
    }
  expect(await everything()).toEqual(before);
});

const LISTS = ['agents', 'grants', 'audit/entries', 'policies', 'webhooks', 'anomalies'].map(
  (name) => `/v1/${name}`,
);

test('lists hold nothing of anybody else', async () => {
  for (const path of LISTS) {
    const { status, body } = await asStranger('GET', path);
    expect(status).toBe(200);
    for (const foreign of [world.owner.developerId, world.policyId, world.webhookId, world.anomalyId])
      expect(JSON.stringify(body)).not.toContain(foreign);
  }
});

test('a session shows nothing of another developer, nor of another principal', async () => {
  for (const [session, grants] of [
    [strangersSession, [own.grantId]],
    [otherPrincipalsSession, []],
  ] as const) {
    const shown = await asPrincipal(session, 'GET', '/v1/principal/grants');
    expect(shown.body.grants.map(({ id }: { id: string }) => id)).toEqual(grants);
    const audit = await asPrincipal(session, 'GET', '/v1/principal/audit');
    expect([audit.status, audit.body.entries]).toEqual([200, []]);
  }
});

test('the owner can do all of it: the ids above are alive', async () => {
  const { owner, pair, code, pendingId, entryId, policyId } = world;
  const get = async (path: string) => (await service.request('GET', path, { key: owner.key })).status;
  expect(await get(`/v1/agents/${owner.agentId}`)).toBe(200);
  expect(await get(`/v1/grants/${pair.grantId}`)).toBe(200);
  expect(await get(`/v1/audit/${entryId}`)).toBe(200);
  expect(await get(`/v1/policies/${policyId}`)).toBe(200);
  expect(await get(`/v1/webhooks/${world.webhookId}/deliveries`)).toBe(200);
  expect(await get(`/v1/consent/${pendingId}`)).toBe(200);
  const seen = `/v1/anomalies/${world.anomalyId}/acknowledge`;
  expect((await service.request('PATCH', seen, { key: owner.key })).status).toBe(200);
  expect(await owner.verify(pair.grantToken)).toBe(true);
  expect((await owner.exchange(code)).grantId).toMatch(/^grnt_/);
});

interface Operation {
  readonly security: readonly unknown[];
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: {
    readonly content: Record<string, { readonly schema: { readonly properties: Record<string, unknown> } }>;
  };
}

/** A member that names an object of a developer's. A principal is nobody's object. */
const namesAnObject = (name: string) => /(^id|Id|^jti|^code|[tT]oken)$/.test(name) && name !== 'principalId';

test('the table has every route of /openapi.json and every id that it takes', async () => {
  const { body } = await service.request('GET', '/openapi.json');
  const taken = Object.entries<Record<string, Operation>>(body.paths).flatMap(([path, operations]) =>
    Object.entries(operations)
      .filter(([, { security }]) => security.length > 0)
      .flatMap(([method, { parameters, requestBody }]) =>
        [
          ...parameters.filter((one) => one.in === 'path' || namesAnObject(one.name)).map(({ name }) => name),
          ...Object.keys(requestBody?.content['application/json']?.schema.properties ?? {}).filter(
            namesAnObject,
          ),
        ].map((name) => `${method.toUpperCase()} ${path} ${name}`),
      ),
  );
  expect(taken.length).toBeGreaterThan(20);
  expect([...new Set(TABLE.map(([what]) => what.replace(/ \(.*\)$/, '')))].sort()).toEqual(taken.sort());
});
