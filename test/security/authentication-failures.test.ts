import { SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSessionTokens } from '../../src/principal-sessions/session-token.ts';
import { newParty } from '../support/flow.ts';
import { SECRET_KEY, startService, type TestService, untilAvailable } from '../support/service.ts';

let service: TestService;
beforeAll(async () => {
  service = await startService({ env: { TRUST_PROXY: '1' } });
});
afterAll(() => service.stop());

const REASONS = ['missing', 'malformed', 'unknown', 'expired'];
const failures = async () => {
  const scrape = await service.scrape();
  return Object.fromEntries(
    ['api_key', 'session_token'].flatMap((credential) =>
      REASONS.map((reason) => [
        `${credential} ${reason}`,
        scrape.value('grantex_authentication_failures_total', { credential, reason }),
      ]),
    ),
  );
};
const ask = (path: string, ip: string, authorization?: string) =>
  service.request('GET', path, {
    headers: { 'x-forwarded-for': ip, ...(authorization !== undefined && { authorization }) },
  });
/** The one line of an address. */
const lineOf = async (ip: string) => {
  const lines = () => service.logs.filter((line) => line['ip'] === ip);
  await expect.poll(lines).toHaveLength(1);
  return lines()[0];
};

test('all eight series are there with 0 from the first scrape', async () => {
  const values = Object.values(await failures());
  expect(values).toEqual(Array(8).fill(0));
});

test('every way to be refused is one count and one line, with its reason', async () => {
  const issuer = service.url.replace('127.0.0.1', 'localhost');
  const secretKey = Buffer.from(SECRET_KEY, 'base64');
  const clock = { now: () => Date.now() - 7_200_000 };
  const past = createSessionTokens({ secretKey, issuer: () => issuer, clock });
  const expired = await past.issue({ developerId: 'dev_1', principalId: 'user_1' }, 60);
  const forged = await new SignJWT({ sub: 'user_1', dev: 'dev_1' })
    .setProtectedHeader({ alg: 'HS256', typ: 'principal-session+jwt' })
    .setExpirationTime('1h')
    .sign(Buffer.alloc(32, 1));
  const { grantToken } = await (await newParty(service)).grant();
  const grants = '/v1/principal/grants';
  const cases: [string, string, string | undefined][] = [
    ['api_key missing', '/v1/me', undefined],
    ['api_key malformed', '/v1/me', 'Basic dXNlcjpwYXNz'],
    ['api_key malformed', '/v1/grants', `Bearer ${'k'.repeat(8193)}`],
    ['api_key unknown', '/v1/me', 'Bearer gx_live_nobody_has_this_key'],
    ['api_key unknown', '/v1/grants', `Bearer ${expired.token}`],
    ['session_token missing', grants, undefined],
    ['session_token malformed', grants, 'Bearer gx_live_nobody_has_this_key'],
    ['session_token unknown', grants, `Bearer ${forged}`],
    ['session_token unknown', grants, `Bearer ${grantToken}`],
    ['session_token expired', '/v1/principal/audit', `Bearer ${expired.token}`],
  ];
  const expected = await failures();
  for (const [index, [what, path, authorization]] of cases.entries()) {
    const ip = `198.51.100.${index}`;
    const answer = await ask(path, ip, authorization);
    expect([what, answer.status, answer.headers.get('www-authenticate')]).toEqual([what, 401, 'Bearer']);
    const [credential, reason] = what.split(' ');
    expect(await lineOf(ip)).toMatchObject({
      level: 'warn',
      msg: 'auth.failed',
      credential,
      reason,
      route: path,
      suppressed: 0,
    });
    expected[what] = (expected[what] ?? 0) + 1;
  }
  expect(await failures()).toEqual(expected);
  for (const secret of [expired.token, forged, 'nobody_has_this_key', 'dXNlcjpwYXNz'])
    expect(service.stdout.join('\n')).not.toContain(secret);
});

test('a key that the statement of the request looks up is told of in the same way', async () => {
  const before = (await failures())['api_key unknown'] ?? 0;
  const answer = await service.request('POST', '/v1/tokens/verify', {
    body: { token: 'x.y.z' },
    headers: { 'x-forwarded-for': '198.51.100.200', authorization: 'Bearer gx_live_nobody_has_this_key' },
  });
  expect(answer.status).toBe(401);
  expect(await lineOf('198.51.100.200')).toMatchObject({ reason: 'unknown', route: '/v1/tokens/verify' });
  expect((await failures())['api_key unknown']).toBe(before + 1);
});

test('a flood of wrong keys: all are counted, the log has one line and tells of the rest at the end', async () => {
  const FLOOD = 500;
  const before = (await failures())['api_key unknown'] ?? 0;
  const ip = '2001:db8:7::1';
  // Addresses of one IPv6 network are one.
  for (let sent = 0; sent < FLOOD; sent += 50)
    await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        untilAvailable(() => ask('/v1/me', `2001:db8:7::${n + 1}`, `Bearer gx_live_${sent}_${n}`)),
      ),
    );
  expect((await failures())['api_key unknown']).toBe(before + FLOOD);
  await service.stop();
  const lines = service.logs.filter((line) => String(line['ip']).startsWith(ip.slice(0, -1)));
  expect(lines.length).toBeLessThan(5);
  expect(lines.reduce((sum, line) => sum + Number(line['suppressed']) + 1, 0)).toBe(FLOOD);
});
