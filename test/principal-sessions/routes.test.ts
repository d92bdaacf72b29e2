import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';

const HOUR_MS = 3_600_000;

let service: TestService;
let party: Party;
let session: string;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());
beforeEach(async () => {
  party = await newParty(service);
  session = (await open({ principalId: 'user_1' })).body.sessionToken;
});

const open = (body: unknown, key: string | undefined = party.key) =>
  service.request('POST', '/v1/principal-sessions', { key, body });
const as = (method: string, path: string, token: string | undefined = session) =>
  service.request(method, `/v1/principal${path}`, { key: token });
const grantsOf = async (token = session) => (await as('GET', '/grants', token)).body.grants;
const revokedTotal = async () => (await service.scrape()).value('grantex_grants_revoked_total');

test('201: a token, the link that carries it in its fragment, an hour of life', async () => {
  const before = Date.now();
  const { status, body } = await open({ principalId: 'user_1' });
  expect([status, body]).toEqual([
    201,
    {
      sessionToken: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      dashboardUrl: `${service.url.replace('127.0.0.1', 'localhost')}/permissions#session=${body.sessionToken}`,
      expiresAt: expect.stringMatching(/Z$/),
    },
  ]);
  // Whole seconds.
  expect(Date.parse(body.expiresAt)).toBeGreaterThan(before - 1000 + HOUR_MS);
  expect(Date.parse(body.expiresAt)).toBeLessThanOrEqual(Date.now() + HOUR_MS);
  expect(decodeJwt(body.sessionToken)).toMatchObject({ sub: 'user_1', dev: party.developerId });
});

test.each([
  ['1s', 1],
  ['30m', 1800],
  ['24h', 86_400],
  ['1d', 86_400],
])('expiresIn %s is %i seconds', async (expiresIn, seconds) => {
  const { status, body } = await open({ principalId: 'user_1', expiresIn });
  expect(status).toBe(201);
  const { iat = 0, exp = 0 } = decodeJwt(body.sessionToken);
  expect(exp - iat).toBe(seconds);
  expect(body.expiresAt).toBe(new Date(exp * 1000).toISOString());
});

test.each<[string, unknown]>([
  ['no principal', {}],
  ['an empty principal', { principalId: '' }],
  ['a principal that is a number', { principalId: 1 }],
  ['a principal of 513 characters', { principalId: 'p'.repeat(513) }],
  ['a second more than a day', { principalId: 'p', expiresIn: '86401s' }],
  ['two days', { principalId: 'p', expiresIn: '2d' }],
  ['no duration', { principalId: 'p', expiresIn: 'soon' }],
  ['null for a duration', { principalId: 'p', expiresIn: null }],
])('400: %s', async (_case, body) => {
  const answer = await open(body);
  expect([answer.status, answer.body.code]).toEqual([400, 'BAD_REQUEST']);
});

test('the longest principal, in characters that take most room, has a session that works', async () => {
  for (const principalId of ['😀'.repeat(512), '\u0001'.repeat(512)]) {
    const { body } = await open({ principalId });
    const answer = await as('GET', '/grants', body.sessionToken);
    expect([answer.status, answer.body.principalId]).toEqual([200, principalId]);
  }
});

test('200 GET /grants: everything that a person needs to recognise a grant', async () => {
  const agentId = await party.newAgent({ name: 'Trip planner', description: 'Plans trips.' });
  const pair = await party.grant({ agentId, scopes: ['calendar:read', 'odd'] });
  const child = await party.delegate(pair.grantToken);
  await party.grant({ principalId: 'user_2' });
  const { status, body } = await as('GET', '/grants');
  expect([status, body]).toMatchObject([200, { principalId: 'user_1', developerName: 'Acme', total: 2 }]);
  const [newest, oldest] = body.grants;
  const known = await service.request('GET', `/v1/grants/${pair.grantId}`, { key: party.key });
  expect(oldest).toEqual({
    ...known.body,
    agentName: 'Trip planner',
    agentDescription: 'Plans trips.',
    scopeDescriptions: ['Read your calendar', expect.stringContaining('“odd”')],
    lastUsedAt: known.body.issuedAt,
  });
  expect(newest).toMatchObject({ id: child.grantId, parentGrantId: pair.grantId, agentName: 'Agent' });
});

test('the last use is the last token that was issued', async () => {
  const pair = await party.grant();
  const [before] = await grantsOf();
  const refreshed = await service.request('POST', '/v1/token/refresh', {
    key: party.key,
    body: { refreshToken: pair.refreshToken, agentId: party.agentId },
  });
  expect(refreshed.status).toBe(201);
  const [after] = await grantsOf();
  expect(Date.parse(after.lastUsedAt)).toBeGreaterThan(Date.parse(before.lastUsedAt));
});

test('what is alive comes first, then the newest; a grant that has run out reads expired', async () => {
  const first = await party.grant();
  const second = await party.grant();
  const third = await party.grant();
  await service.request('DELETE', `/v1/grants/${third.grantId}`, { key: party.key });
  await service.database.sql`update grants set expires_at = now() where id = ${second.grantId}`;
  const shown = (await grantsOf()).map(({ id, status }: { id: string; status: string }) => [id, status]);
  expect(shown).toEqual([
    [first.grantId, 'active'],
    [third.grantId, 'revoked'],
    [second.grantId, 'expired'],
  ]);
});

test('of thousands of grants the living are never left out, in pages of 20, at most 100', async () => {
  const { developerId, agentId } = party;
  const { grantId } = await party.grant();
  await service.database.sql`
    insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at, root_grant_id,
      delegation_depth)
    select 'grnt_' || n || ${developerId}, ${developerId}, ${agentId}, 'user_1', '{a:b}', 'active', now(), now(), 'grnt_x' || n, 0
    from generate_series(1, 1500) n`;
  const first = (await as('GET', '/grants')).body;
  expect(first).toMatchObject({ total: 1501, page: 1, pageSize: 20, developerName: 'Acme' });
  expect([first.grants.length, first.grants[0].id]).toEqual([20, grantId]);

  const ids: string[] = [];
  for (let page = 1; page <= 16; page++) {
    const { body } = await as('GET', `/grants?page=${page}&pageSize=500`);
    expect([body.total, body.page, body.pageSize]).toEqual([1501, page, 100]);
    ids.push(...body.grants.map(({ id }: { id: string }) => id));
  }
  expect([ids.length, new Set(ids).size, ids[0]]).toEqual([1501, 1501, grantId]);
  expect((await as('GET', '/grants?page=17&pageSize=100')).body.grants).toEqual([]);
  for (const query of ['page=0', 'pageSize=0', 'page=x', 'page=101&pageSize=100'])
    expect((await as('GET', `/grants?${query}`)).status).toBe(400);
});

test('beyond 10,000 the total is an estimate, and says so', async () => {
  const { developerId, agentId } = party;
  await service.database.sql`
    insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at, root_grant_id,
      delegation_depth)
    select 'grnt_' || n || ${developerId}, ${developerId}, ${agentId}, 'user_1', '{a:b}', 'active', now(), now(), 'grnt_x' || n, 0
    from generate_series(1, 10001) n`;
  const { status, body } = await as('GET', '/grants?page=100&pageSize=100');
  expect([status, body.grants.length]).toEqual([200, 100]);
  expect(body).toMatchObject({ total: 10_000, totalIsEstimate: true, page: 100, pageSize: 100 });
});

test('200 GET /audit: the entries of the principal, newest first, in pages', async () => {
  const mine = await party.grant();
  const other = await party.grant({ principalId: 'user_2' });
  const log = (grantId: string, action: string) =>
    service.request('POST', '/v1/audit/log', {
      key: party.key,
      body: { agentId: party.agentId, grantId, action, metadata: { n: 1 } },
    });
  const logged = [];
  for (const action of ['a', 'b', 'c']) logged.unshift((await log(mine.grantId, action)).body);
  await log(other.grantId, 'd');
  const { status, body } = await as('GET', '/audit');
  expect([status, body]).toEqual([200, { entries: logged, total: 3, page: 1, pageSize: 20 }]);
  const second = await as('GET', '/audit?page=2&pageSize=2');
  expect(second.body).toEqual({ entries: logged.slice(2), total: 3, page: 2, pageSize: 2 });
  expect((await as('GET', '/audit?page=0')).status).toBe(400);
});

test('204 DELETE: the grant and what was delegated from it, as revoked by the principal', async () => {
  const pair = await party.grant();
  const child = await party.delegate(pair.grantToken);
  const before = (await revokedTotal()) ?? Number.NaN;
  expect((await as('DELETE', `/grants/${pair.grantId}`)).status).toBe(204);
  expect(await party.verify(pair.grantToken)).toBe(false);
  expect(await party.verify(child.grantToken)).toBe(false);
  expect(await revokedTotal()).toBe(before + 2);
  const rows = await service.database.sql<{ revoked_by: string }[]>`
    select revoked_by from grants where developer_id = ${party.developerId}`;
  expect(rows.map(({ revoked_by }) => revoked_by)).toEqual(['principal', 'principal']);
  await service.logged('grant.revoked');
  const lines = service.logs.filter(
    ({ msg, grantId }) => msg === 'grant.revoked' && grantId === pair.grantId,
  );
  expect(lines).toEqual([
    expect.objectContaining({ level: 'info', revokedBy: 'principal', cascadeCount: 1 }),
  ]);
  expect((await as('DELETE', `/grants/${pair.grantId}`)).body.code).toBe('NOT_FOUND');
  expect((await grantsOf()).map(({ status }: { status: string }) => status)).toEqual(['revoked', 'revoked']);
  expect(await revokedTotal()).toBe(before + 2);
});

test('204 DELETE of a delegated grant leaves what it was delegated from', async () => {
  const pair = await party.grant();
  const child = await party.delegate(pair.grantToken);
  expect((await as('DELETE', `/grants/${child.grantId}`)).status).toBe(204);
  expect(await party.verify(child.grantToken)).toBe(false);
  expect(await party.verify(pair.grantToken)).toBe(true);
});

test('of revocations at the same moment, by the principal and the developer, one counts', async () => {
  const { grantId } = await party.grant();
  const before = (await revokedTotal()) ?? Number.NaN;
  const answers = await Promise.all([
    ...Array.from({ length: 4 }, () => as('DELETE', `/grants/${grantId}`)),
    service.request('DELETE', `/v1/grants/${grantId}`, { key: party.key }),
  ]);
  expect(answers.map(({ status }) => status).sort()).toEqual([204, 404, 404, 404, 404]);
  expect(await revokedTotal()).toBe(before + 1);
});

test('404 DELETE: an unknown grant, and that of another principal, which stays', async () => {
  const other = await party.grant({ principalId: 'user_2' });
  for (const id of ['grnt_unknown', 'no-shape', 'a%00b', other.grantId])
    expect((await as('DELETE', `/grants/${id}`)).status).toBe(404);
  expect(await party.verify(other.grantToken)).toBe(true);
});

const PRINCIPAL_ROUTES = [
  ['GET', '/v1/principal/grants'],
  ['GET', '/v1/principal/audit'],
  ['DELETE', '/v1/principal/grants/grnt_x'],
] as const;

test('401 on the routes of principals: no token, an API key, a grant token, an expired session', async () => {
  const { grantToken } = await party.grant();
  const short = (await open({ principalId: 'user_1', expiresIn: '1s' })).body;
  await expect.poll(async () => (await as('GET', '/grants', short.sessionToken)).status).toBe(401);
  for (const [method, path] of PRINCIPAL_ROUTES)
    for (const key of [undefined, party.key, grantToken, short.sessionToken, `${session}x`]) {
      const answer = await service.request(method, path, { key });
      const { code, message } = answer.body;
      expect([answer.status, code, message]).toEqual([
        401,
        'UNAUTHORIZED',
        'A valid session token is required',
      ]);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    }
});

test('401 comes before 400', async () => {
  expect((await as('GET', '/audit?page=0', party.key)).status).toBe(401);
});

test('a session token is 401 on every route of developers', async () => {
  const { body } = await service.request('GET', '/openapi.json');
  const routes = Object.entries<Record<string, { security: Record<string, unknown>[] }>>(body.paths).flatMap(
    ([path, operations]) =>
      Object.entries(operations)
        .filter(([, { security }]) => security.some((one) => 'apiKey' in one))
        .map(([method]) => [method.toUpperCase(), path.replaceAll(/\{\w+\}/g, 'x')] as const),
  );
  expect(routes.length).toBeGreaterThan(20);
  for (const [method, path] of routes) {
    const reads = method === 'GET' || method === 'DELETE';
    const answer = await service.request(method, path, { key: session, ...(!reads && { body: {} }) });
    expect([method, path, answer.status]).toEqual([method, path, 401]);
  }
});

test('nor is it a grant token: verify, grants/verify and delegate refuse it', async () => {
  const call = (path: string, body: unknown) => service.request('POST', path, { key: party.key, body });
  expect((await call('/v1/tokens/verify', { token: session })).body).toEqual({ valid: false });
  expect((await call('/v1/grants/verify', { token: session })).body).toEqual({
    active: false,
    reason: 'not_found',
  });
  const delegation = { parentGrantToken: session, subAgentId: party.agentId, scopes: ['a'] };
  expect((await call('/v1/grants/delegate', delegation)).status).toBe(400);
});

test('the session of one developer knows nothing of the same principal of another', async () => {
  const other = await newParty(service);
  const { grantId, grantToken } = await other.grant();
  expect(await grantsOf()).toEqual([]);
  expect((await as('DELETE', `/grants/${grantId}`)).status).toBe(404);
  expect(await other.verify(grantToken)).toBe(true);
});

test('no log line has a session token or any part of it', async () => {
  await as('GET', '/grants');
  await as('GET', '/audit', `${session}x`);
  const [, payload = '', signature = ''] = session.split('.');
  const text = service.stdout.join('\n');
  for (const part of [payload, signature]) expect(text).not.toContain(part);
});
