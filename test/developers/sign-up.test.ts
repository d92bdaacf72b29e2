import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startService, type TestService, untilAvailable } from '../support/service.ts';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

const signUp = (body: unknown, headers = {}) => service.request('POST', '/v1/signup', { body, headers });
const me = (key?: string) => service.request('GET', '/v1/me', { key });
const developers = async () => {
  const [row] = await service.database.sql`select count(*)::int as n from developers`;
  return row?.['n'];
};
const newEmail = () => `${randomUUID()}@example.com`;

test.each([
  ['live', { mode: 'live' }, 'gx_live_', 'live'],
  ['sandbox', { mode: 'sandbox' }, 'gx_test_', 'sandbox'],
  ['live without a mode', {}, 'gx_live_', 'live'],
])(
  '201 %s: exactly the developer and its key, which /v1/me knows at once',
  async (_what, fields, prefix, mode) => {
    const email = newEmail();
    const before = Date.now();
    const { status, body } = await signUp({ name: 'Acme', email, ...fields });
    expect([status, body]).toEqual([
      201,
      {
        developerId: expect.stringMatching(/^dev_[0-9A-HJKMNP-TV-Z]{26}$/),
        apiKey: expect.stringMatching(new RegExp(`^${prefix}[\\w-]{43}$`)),
        name: 'Acme',
        email,
        mode,
        createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      },
    ]);
    expect(Date.parse(body.createdAt)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(body.createdAt)).toBeLessThanOrEqual(Date.now());
    const { apiKey, ...developer } = body;
    const known = await me(apiKey);
    expect([known.status, known.body]).toEqual([200, { ...developer, plan: 'free' }]);
  },
);

test('an email is optional, and any number of developers have none', async () => {
  for (const fields of [{}, {}, { email: null }, { email: null }]) {
    const { status, body } = await signUp({ name: 'Nameless', ...fields });
    expect([status, body.email]).toEqual([201, null]);
  }
});

test('409 for a taken email, in whatever case; the first developer stays', async () => {
  const email = newEmail();
  const first = await signUp({ name: 'First', email });
  const before = await developers();
  for (const taken of [email, email.toUpperCase(), email.replace('example', 'Example')]) {
    const { status, body } = await signUp({ name: 'Second', email: taken });
    expect([status, body.code]).toEqual([409, 'CONFLICT']);
    expect(JSON.stringify(body).toLowerCase()).not.toContain(email);
  }
  expect(await developers()).toBe(before);
  expect((await me(first.body.apiKey)).body).toMatchObject({ name: 'First', email });
});

test('of many that ask for one email at once, one gets it', async () => {
  const email = newEmail();
  const before = await developers();
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, n) =>
      untilAvailable(() => signUp({ name: 'Racer', email: n % 2 ? email : email.toUpperCase() })),
    ),
  );
  expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(9).fill(409)]);
  expect(await developers()).toBe(before + 1);
});

test.each<[string, unknown]>([
  ['no body', undefined],
  ['no name', { email: 'a@example.com' }],
  ['an empty name', { name: '' }],
  ['a name that is null', { name: null }],
  ['a name of 201 characters', { name: 'x'.repeat(201) }],
  ['an unknown mode', { name: 'x', mode: 'production' }],
  ['an email without @', { name: 'x', email: 'example.com' }],
  ['an email with two @', { name: 'x', email: 'a@b@example.com' }],
  ['an email with a blank', { name: 'x', email: 'a b@example.com' }],
  ['an empty email', { name: 'x', email: '' }],
  ['an email of 255 characters', { name: 'x', email: `${'a'.repeat(243)}@example.com` }],
  ['an email that is a number', { name: 'x', email: 7 }],
])('400 for %s, and nobody is created', async (_what, body) => {
  const before = await developers();
  const answer = await signUp(body);
  expect([answer.status, answer.body.code]).toEqual([400, 'BAD_REQUEST']);
  expect(await developers()).toBe(before);
});

test('the longest name and email are taken', async () => {
  const fields = { name: 'é'.repeat(200), email: `${'a'.repeat(242)}@example.com` };
  expect((await signUp(fields)).body).toMatchObject(fields);
});

test('sign-up is public: an Authorization header is ignored', async () => {
  const headers = { authorization: 'Bearer gx_live_nobody_has_this_key' };
  expect((await signUp({ name: 'Acme' }, headers)).status).toBe(201);
});

test('/v1/me takes the scheme in any case; 401 for no key, a wrong one, another scheme, or one too long', async () => {
  const { apiKey } = await service.signup();
  const as = async (authorization?: string) => {
    const headers = authorization === undefined ? {} : { authorization };
    const { status, body } = await service.request('GET', '/v1/me', { headers });
    return [status, body.code];
  };
  expect(await as(`bearer  ${apiKey}`)).toEqual([200, undefined]);
  for (const refused of [
    undefined,
    apiKey,
    `Basic ${apiKey}`,
    'Bearer',
    `Bearer ${apiKey}x`,
    `Bearer ${apiKey.slice(0, -1)}`,
    `Bearer ${apiKey.toUpperCase()}`,
    `Bearer ${'k'.repeat(513)}`,
  ])
    expect(await as(refused)).toEqual([401, 'UNAUTHORIZED']);
});

test('SIGNUP_ENABLED=false: 404, and who is there goes on', async () => {
  const { database } = service;
  const { apiKey } = await service.signup();
  const closed = await startService({ database, env: { SIGNUP_ENABLED: 'false' } });
  const answer = await closed.request('POST', '/v1/signup', { body: { name: 'Late' } });
  expect([answer.status, answer.body.code]).toEqual([404, 'NOT_FOUND']);
  expect((await closed.request('GET', '/v1/me', { key: apiKey })).status).toBe(200);
  const { body } = await closed.request('GET', '/openapi.json');
  expect(Object.keys(body.paths)).not.toContain('/v1/signup');
  await closed.stop();
});
