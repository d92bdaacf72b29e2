import { afterAll, beforeAll, expect, test } from 'vitest';
import { startService, type TestService, untilAvailable, waitFor } from '../support/service.ts';

let service: TestService;
let replica: TestService;
beforeAll(async () => {
  service = await startService({ env: { RATE_LIMIT_ENABLED: 'true', RATE_LIMITS: 'signup=1000/60' } });
  replica = await startService({ database: service.database });
});
afterAll(async () => {
  await replica.stop();
  await service.stop();
});

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const ask = (key: string, method: string, path: string, body?: unknown, at = service) =>
  at.request(method, path, { key, body });
const keysOf = async (key: string) => (await ask(key, 'GET', '/v1/keys')).body.keys;
const statusOf = async (key: string, at = service) => (await ask(key, 'GET', '/v1/me', undefined, at)).status;
const made = async (key: string, body: object) => (await ask(key, 'POST', '/v1/keys', body)).body;
/** Ends a key as its time would. */
const expire = (id: string) => service.database.sql`update api_keys set expires_at = now() where id = ${id}`;
const expiredFailures = async () =>
  (await service.scrape()).value('grantex_authentication_failures_total', {
    credential: 'api_key',
    reason: 'expired',
  }) ?? 0;

test.each(['live', 'sandbox'] as const)(
  'a developer (%s) has one key, and makes others by name',
  async (mode) => {
    const { apiKey } = await service.signup({ mode });
    const prefix = mode === 'live' ? 'gx_live_' : 'gx_test_';
    const first = {
      id: expect.stringMatching(/^key_[0-9A-Z]{26}$/),
      name: 'default',
      prefix: apiKey.slice(0, 12),
      createdAt: TIME,
      lastUsedAt: null,
    };
    const { status, body } = await ask(apiKey, 'GET', '/v1/keys');
    expect([status, body]).toEqual([200, { keys: [first], total: 1 }]);
    const answer = await ask(apiKey, 'POST', '/v1/keys', { name: 'CI', expiresIn: '2h' });
    expect([answer.status, answer.body]).toEqual([
      201,
      {
        id: expect.stringMatching(/^key_[0-9A-Z]{26}$/),
        name: 'CI',
        prefix: answer.body.apiKey.slice(0, 12),
        createdAt: TIME,
        expiresAt: TIME,
        lastUsedAt: null,
        apiKey: expect.stringMatching(new RegExp(`^${prefix}[\\w-]{43}$`)),
      },
    ]);
    const { apiKey: text, ...second } = answer.body;
    expect(Date.parse(second.expiresAt) - Date.parse(second.createdAt)).toBe(7_200_000);
    expect([await statusOf(text), await statusOf(text, replica), await statusOf(apiKey)]).toEqual([
      200, 200, 200,
    ]);
    expect(await keysOf(text)).toEqual([first, second]);
  },
);

test('400 for what is no key to make or to rotate', async () => {
  const { apiKey } = await service.signup();
  for (const body of [{}, { name: '' }, { name: 'x', expiresIn: '1y' }, { name: 'x', expiresIn: '9999d' }])
    expect((await ask(apiKey, 'POST', '/v1/keys', body)).status, JSON.stringify(body)).toBe(400);
  for (const overlapSeconds of [-1, 86_401, 1.5, '60'])
    expect((await ask(apiKey, 'POST', '/v1/keys/rotate', { overlapSeconds })).status).toBe(400);
  expect([await statusOf(apiKey), (await keysOf(apiKey)).length]).toEqual([200, 1]);
});

test('a removed key is refused at once on every replica; another developer cannot remove it', async () => {
  const { apiKey, developerId } = await service.signup();
  const { id, apiKey: other } = await made(apiKey, { name: 'old laptop' });
  expect([await statusOf(other), await statusOf(other, replica)]).toEqual([200, 200]);
  const stranger = await service.signup();
  for (const unknown of ['key_unknown', 'x'])
    expect((await ask(apiKey, 'DELETE', `/v1/keys/${unknown}`)).status).toBe(404);
  expect((await ask(stranger.apiKey, 'DELETE', `/v1/keys/${id}`)).status).toBe(404);
  expect((await ask(apiKey, 'DELETE', `/v1/keys/${id}`)).status).toBe(204);
  expect([await statusOf(other, replica), await statusOf(other), await statusOf(apiKey)]).toEqual([
    401, 401, 200,
  ]);
  expect((await ask(apiKey, 'DELETE', `/v1/keys/${id}`)).status).toBe(404);
  const line = await waitFor(() =>
    service.logs.find((one) => one['keyId'] === id && one.msg.endsWith('deleted')),
  );
  expect(line).toMatchObject({ level: 'info', msg: 'developer.key_deleted', developerId, ip: '127.0.0.1' });
  expect(await service.logged('developer.key_created')).toContainEqual(
    expect.objectContaining({ level: 'info', developerId, keyId: id, ip: '127.0.0.1' }),
  );
  const changes = { object: 'key', change: 'deleted' };
  expect((await service.scrape()).value('grantex_admin_changes_total', changes)).toBe(1);
});

test('the last usable key cannot be removed, and an expired one does not count as usable', async () => {
  const { apiKey } = await service.signup();
  const [{ id }] = await keysOf(apiKey);
  const refused = await ask(apiKey, 'DELETE', `/v1/keys/${id}`);
  expect([refused.status, refused.body.code]).toEqual([409, 'CONFLICT']);
  const short = await made(apiKey, { name: 'short', expiresIn: '1s' });
  await waitFor(async () => ((await statusOf(short.apiKey)) === 401 ? true : undefined));
  expect((await ask(apiKey, 'DELETE', `/v1/keys/${id}`)).status).toBe(409);
  expect((await ask(apiKey, 'DELETE', `/v1/keys/${short.id}`)).status).toBe(204);
  expect(await statusOf(apiKey)).toBe(200);
});

test('two deletions of the last two keys at once, on two replicas, leave one', async () => {
  for (let round = 0; round < 8; round++) {
    const { apiKey } = await service.signup();
    const second = await made(apiKey, { name: 'second' });
    const [first] = await keysOf(apiKey);
    const answers = await Promise.all([
      ask(apiKey, 'DELETE', `/v1/keys/${first.id}`),
      ask(second.apiKey, 'DELETE', `/v1/keys/${second.id}`, undefined, replica),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 409]);
    const left = await Promise.all([statusOf(apiKey), statusOf(second.apiKey, replica)]);
    expect(left.sort()).toEqual([200, 401]);
  }
});

test('an expired key is told apart, on routes of every kind', async () => {
  const { apiKey } = await service.signup();
  const { id, apiKey: short } = await made(apiKey, { name: 'short', expiresIn: '1h' });
  const routes = [
    ['GET', '/v1/me', undefined],
    ['POST', '/v1/tokens/verify', { token: 'x.y.z' }],
    ['POST', '/v1/authorize', { agentId: 'ag_1', principalId: 'p', scopes: ['s'] }],
    ['POST', '/oauth/introspect', 'token=x'],
  ] as const;
  // This process then knows whose key it is, and asks no further before the work.
  expect((await ask(short, 'POST', '/v1/tokens/verify', { token: 'x.y.z' })).status).toBe(200);
  await expire(id);
  for (const [method, path, body] of routes) {
    const before = await expiredFailures();
    const { status, headers } = await ask(short, method, path, body);
    expect([path, status]).toEqual([path, 401]);
    expect(headers.get('www-authenticate')).toMatch(/^(Bearer|Basic)/);
    expect(await expiredFailures(), path).toBe(before + 1);
  }
});

test('rotation with an overlap: both keys work, then the old one has expired; a lost answer locks nobody out', async () => {
  const { apiKey } = await service.signup();
  const lost = await ask(apiKey, 'POST', '/v1/keys/rotate', { overlapSeconds: 86_400 });
  expect([lost.status, Object.keys(lost.body).sort()]).toEqual([200, ['apiKey', 'rotatedAt']]);
  const again = await ask(apiKey, 'POST', '/v1/keys/rotate', { overlapSeconds: 60 }, replica);
  expect(again.status).toBe(200);
  const all = [apiKey, lost.body.apiKey, again.body.apiKey];
  expect(await Promise.all(all.map((key) => statusOf(key, replica)))).toEqual([200, 200, 200]);
  const keys = await keysOf(apiKey);
  expect(keys.map(({ name, expiresAt }: { name: string; expiresAt?: string }) => [name, expiresAt])).toEqual([
    ['default', expect.any(String)],
    ['default', undefined],
    ['default', undefined],
  ]);
  const [old] = keys;
  expect(Date.parse(old.expiresAt) - Date.parse(again.body.rotatedAt)).toBe(60_000);
  await expire(old.id);
  expect(await Promise.all(all.map((key) => statusOf(key)))).toEqual([401, 200, 200]);
});

test('a rotated key keeps its name and its lifetime, not what an overlap left of it', async () => {
  const { apiKey } = await service.signup();
  const { apiKey: ci } = await made(apiKey, { name: 'CI', expiresIn: '30d' });
  await ask(ci, 'POST', '/v1/keys/rotate', { overlapSeconds: 60 });
  const { apiKey: last } = (await ask(ci, 'POST', '/v1/keys/rotate')).body;
  expect([await statusOf(ci), await statusOf(last)]).toEqual([401, 200]);
  const lives = (await keysOf(last)).map(
    ({ name, createdAt, expiresAt }: Record<'name' | 'createdAt' | 'expiresAt', string>) => [
      name,
      expiresAt && Date.parse(expiresAt) - Date.parse(createdAt),
    ],
  );
  const MONTH = 30 * 86_400_000;
  expect(lives).toEqual([
    ['default', undefined],
    ['CI', MONTH],
    ['CI', MONTH],
  ]);
});

test('at most a hundred keys work at the same time; of expired ones a hundred stay', async () => {
  const { apiKey, developerId } = await service.signup();
  const { sql } = service.database;
  await sql`insert into api_keys (id, developer_id, hash, name, prefix, created_at, expires_at)
    select 'key_' || ${developerId}::text || n, ${developerId}, sha256(convert_to(${developerId}::text || n, 'UTF8')), 'many', 'gx', now(),
      case when n > 98 then now() - n * interval '1 minute' end from generate_series(1, 220) n`;
  // Ninety-nine work.
  const answers = await Promise.all(
    Array.from({ length: 4 }, (_, n) =>
      untilAvailable(() => ask(apiKey, 'POST', '/v1/keys', { name: `${n}` }, n % 2 ? service : replica)),
    ),
  );
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409]);
  expect((await keysOf(apiKey)).length).toBe(200);
  expect((await ask(apiKey, 'POST', '/v1/keys/rotate', { overlapSeconds: 1 })).status).toBe(409);
  expect((await ask(apiKey, 'POST', '/v1/keys/rotate')).status).toBe(200);
});
