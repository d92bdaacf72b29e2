import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';

let service: TestService;
beforeAll(async () => {
  service = await startService({
    env: { RATE_LIMIT_ENABLED: 'true', RATE_LIMITS: 'verify=2/60,signup=100/60', TRUST_PROXY: 'loopback' },
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

test.each(['/health', '/health/live', '/health/ready', '/.well-known/jwks.json', '/metrics'])(
  '%s has no limit',
  async (path) => {
    const { status, headers } = await service.request('GET', path);
    expect([status, headers.get('x-ratelimit-limit')]).toEqual([200, null]);
  },
);
