import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';

let service: TestService;
beforeAll(async () => {
  service = await startService({
    env: {
      RATE_LIMIT_ENABLED: 'true',
      RATE_LIMITS: 'verify=2/60,signup=100/60,authorize=3/60',
      TRUST_PROXY: 'loopback',
    },
  });
});
afterAll(() => service.stop());

test('headers, the refusal, its count and its line; keys are limited apart; it is no attempt', async () => {
  const [one, other] = [await newParty(service), await newParty(service)];
  const verify = (key: string) => service.request('POST', '/v1/tokens/verify', { key, body: { token: 'x' } });
  const answers = [await verify(one.key), await verify(one.key), await verify(one.key)];
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
  expect(answers.map(({ headers }) => headers.get('x-ratelimit-remaining'))).toEqual(['1', '0', '0']);
  const { headers, body } = answers[2] as (typeof answers)[number];
  expect(headers.get('x-ratelimit-limit')).toBe('2');
  expect(headers.get('x-ratelimit-reset')).toMatch(/^\d{1,2}$/);
  const wait = headers.get('retry-after');
  expect(wait).toMatch(/^\d{1,2}$/);
  expect(body).toMatchObject({
    code: 'RATE_LIMITED',
    message: `Rate limit exceeded, retry in ${wait} seconds`,
  });
  expect((await verify(other.key)).status).toBe(200);
  expect((await service.scrape()).value('grantex_rate_limited_total', { endpoint: 'verify' })).toBe(1);
  const [line] = await service.logged('rate_limit.hit');
  expect(line).toMatchObject({
    level: 'warn',
    ip: '127.0.0.1',
    endpoint: 'verify',
    retryAfter: Number(wait),
  });
});

test('public routes are limited by the address, that of the client behind a trusted proxy', async () => {
  const ask = (ip: string) =>
    service.request('GET', '/v1/consent/areq_x', {
      headers: { 'x-forwarded-for': ip, authorization: 'Bearer junk' },
    });
  expect((await ask('203.0.113.1')).headers.get('x-ratelimit-remaining')).toBe('119');
  expect((await ask('203.0.113.1')).headers.get('x-ratelimit-remaining')).toBe('118');
  expect((await ask('203.0.113.2')).headers.get('x-ratelimit-remaining')).toBe('119');
});

test('invented keys count for their address before the database is asked, and known keys go on from there', async () => {
  const { key } = await newParty(service);
  const ip = '203.0.113.7';
  const verify = (bearer: string, from = ip) =>
    service.request('POST', '/v1/tokens/verify', {
      key: bearer,
      body: { token: 'x' },
      headers: { 'x-forwarded-for': from },
    });
  const invented = [await verify('gx_test_invented_1'), await verify('gx_test_invented_2')];
  expect(invented.map(({ status, headers }) => [status, headers.get('x-ratelimit-remaining')])).toEqual([
    [401, '1'],
    [401, '0'],
  ]);
  await service.database.sql.begin(async (sql) => {
    // A look-up of a key would wait for this lock, and be answered 503.
    await sql`lock table developers in access exclusive mode`;
    expect((await verify('gx_test_invented_3')).status).toBe(429);
  });
  expect((await verify('gx_test_invented_4', '203.0.113.8')).status).toBe(401);
  expect((await verify(key)).status).toBe(200);
});

test('all keys that a developer ever had count as one', async () => {
  const { key } = await newParty(service);
  const verify = (bearer: string) =>
    service.request('POST', '/v1/tokens/verify', {
      key: bearer,
      body: { token: 'x' },
      headers: { 'x-forwarded-for': '203.0.113.9' },
    });
  expect((await verify(key)).headers.get('x-ratelimit-remaining')).toBe('1');
  const rotated = await service.request('POST', '/v1/keys/rotate', { key, body: {} });
  const { apiKey } = rotated.body as { apiKey: string };
  expect((await verify(apiKey)).headers.get('x-ratelimit-remaining')).toBe('0');
  // The old key still counts for its developer, and is refused before it is looked up.
  expect((await verify(key)).status).toBe(429);
  expect((await verify(apiKey)).status).toBe(429);
});

test('the first request of a key that is refused for its limit is no attempt', async () => {
  const { key } = await newParty(service);
  const authorize = (bearer: string, address: string) =>
    service.request('POST', '/v1/authorize', {
      key: bearer,
      body: {},
      headers: { 'x-forwarded-for': address },
    });
  for (let n = 0; n < 3; n++) expect((await authorize(key, '203.0.113.10')).status).toBe(400);
  const rotated = await service.request('POST', '/v1/keys/rotate', { key, body: {} });
  const { apiKey } = rotated.body as { apiKey: string };
  const before = (await service.scrape()).value('grantex_authorize_total', { status: 'error' });
  const answer = await authorize(apiKey, '203.0.113.10');
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, expect.stringMatching(/^\d+$/)]);
  expect((await service.scrape()).value('grantex_authorize_total', { status: 'error' })).toBe(before);
});

test('sessions of one principal count together, those of another apart', async () => {
  const { key } = await newParty(service);
  const open = async (principalId: string) => {
    const { body } = await service.request('POST', '/v1/principal-sessions', { key, body: { principalId } });
    return (body as { sessionToken: string }).sessionToken;
  };
  const remaining = async (token: string) => {
    const { headers } = await service.request('GET', '/v1/principal/grants', { key: token });
    return Number(headers.get('x-ratelimit-remaining'));
  };
  const first = await remaining(await open('user_1'));
  expect(await remaining(await open('user_1'))).toBe(first - 1);
  expect(await remaining(await open('user_2'))).toBe(first);
});

test('status routes count as verify', async () => {
  const { key } = await newParty(service);
  const status = await service.request('GET', '/v1/revocations/status?grantId=grnt_x&jti=y', { key });
  const verify = await service.request('POST', '/v1/grants/verify', { key, body: { token: 'x' } });
  expect([status, verify].map(({ headers }) => headers.get('x-ratelimit-remaining'))).toEqual(['1', '0']);
});

test.each([
  ...['/health', '/health/live', '/health/ready', '/metrics'],
  ...['/.well-known/jwks.json', '/.well-known/oauth-authorization-server'],
])('%s has no limit', async (path) => {
  const { status, headers } = await service.request('GET', path);
  expect([status, headers.get('x-ratelimit-limit')]).toEqual([200, null]);
});
