import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty } from '../support/flow.ts';
import { startService, type TestService, untilAvailable } from '../support/service.ts';

let service: TestService;
let replica: TestService;
beforeAll(async () => {
  // Replicas have one issuer, or one would not know the other's tokens.
  const env = { PUBLIC_URL: 'https://auth.example.com' };
  service = await startService({ env });
  replica = await startService({ env, database: service.database });
});
afterAll(async () => {
  await replica.stop();
  await service.stop();
});

const statusOf = async (at: TestService, key: string) => (await at.request('GET', '/v1/me', { key })).status;
const rotate = (at: TestService, key: string) => at.request('POST', '/v1/keys/rotate', { key });

test.each(['live', 'sandbox'] as const)(
  '200 rotate (%s): a key of the same mode and the time',
  async (mode) => {
    const { apiKey, developerId } = await service.signup({ mode });
    const { status, body } = await rotate(service, apiKey);
    expect([status, body]).toEqual([
      200,
      {
        apiKey: expect.stringMatching(mode === 'live' ? /^gx_live_[\w-]{43}$/ : /^gx_test_[\w-]{43}$/),
        rotatedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      },
    ]);
    expect(body.apiKey).not.toBe(apiKey);
    const { body: me } = await service.request('GET', '/v1/me', { key: body.apiKey });
    expect([me.developerId, me.mode]).toEqual([developerId, mode]);
  },
);

test('the old key is refused at once, on every replica and every kind of route; what it made stays', async () => {
  const party = await newParty(service);
  const { grantToken } = await party.grant();
  // Both replicas have just let this key pass, so one that kept it in memory would let it pass again.
  expect([await statusOf(service, party.key), await statusOf(replica, party.key)]).toEqual([200, 200]);
  const { apiKey } = (await rotate(service, party.key)).body;
  expect([await statusOf(replica, party.key), await statusOf(service, party.key)]).toEqual([401, 401]);
  for (const path of ['/v1/agents', '/v1/authorize', '/v1/token', '/v1/tokens/verify', '/v1/keys/rotate'])
    expect(
      (await replica.request('POST', path, { key: party.key, body: { token: grantToken } })).status,
    ).toBe(401);
  const verified = await replica.request('POST', '/v1/tokens/verify', {
    key: apiKey,
    body: { token: grantToken },
  });
  expect(verified.body.valid).toBe(true);
});

test('of many rotations of one key at once, on two replicas, one succeeds and its key works', async () => {
  const { apiKey } = await service.signup();
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, n) => untilAvailable(() => rotate(n % 2 ? service : replica, apiKey))),
  );
  expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(9).fill(401)]);
  const won = answers.find(({ status }) => status === 200)?.body.apiKey;
  expect([await statusOf(service, won), await statusOf(replica, won)]).toEqual([200, 200]);
  expect([await statusOf(service, apiKey), await statusOf(replica, apiKey)]).toEqual([401, 401]);
});

test('requests under way while the key is rotated: none that begins afterwards passes', async () => {
  const { apiKey } = await service.signup();
  let rotated = false;
  const ask = async () => {
    const late = rotated;
    return { late, status: await statusOf(replica, apiKey) };
  };
  const callers = Array.from({ length: 4 }, async () => {
    const seen: Awaited<ReturnType<typeof ask>>[] = [];
    do seen.push(await ask());
    while (!seen.at(-1)?.late);
    return seen;
  });
  expect((await rotate(service, apiKey)).status).toBe(200);
  rotated = true;
  const seen = (await Promise.all(callers)).flat();
  expect(seen.filter(({ late }) => late).map(({ status }) => status)).toEqual([401, 401, 401, 401]);
});

test('keys are in the database as hashes only', async () => {
  const { apiKey } = await service.signup();
  const rotated = (await rotate(service, apiKey)).body.apiKey;
  for (const key of [apiKey, rotated]) expect(await tablesWith(service.database, key)).toEqual([]);
  expect(await tablesWith(service.database, 'Acme')).toEqual(['developers']);
});

const seeds = () => ({
  SEED_API_KEY: `seed-${randomBytes(12).toString('hex')}`,
  SEED_SANDBOX_KEY: 's'.repeat(512),
});

test('SEED_API_KEY and SEED_SANDBOX_KEY: one developer each, though two replicas start at once on an empty database', async () => {
  const database = await createTestDatabase();
  await database.sql`drop schema public cascade`;
  await database.sql`create schema public`;
  const env = seeds();
  const replicas = await Promise.all([startService({ database, env }), startService({ database, env })]);
  for (const one of replicas) {
    const me = async (key: string) => (await one.request('GET', '/v1/me', { key })).body;
    expect(await me(env.SEED_API_KEY)).toMatchObject({ mode: 'live', email: null });
    expect(await me(env.SEED_SANDBOX_KEY)).toMatchObject({ mode: 'sandbox', email: null });
  }
  expect(await modes(database)).toEqual(['live', 'sandbox']);
  for (const key of Object.values(env)) expect(await tablesWith(database, key)).toEqual([]);
  await Promise.all(replicas.map((one) => one.stop()));
  await database.drop();
});

async function modes(database: TestDatabase) {
  const rows = await database.sql`select mode from developers order by mode`;
  return rows.map(({ mode }) => mode);
}

/** Tables with a row that holds this text, as text or as bytes. */
async function tablesWith({ sql }: TestDatabase, text: string): Promise<string[]> {
  const hex = Buffer.from(text).toString('hex');
  const tables = await sql`select tablename as name from pg_tables where schemaname = 'public' order by 1`;
  const found: string[] = [];
  for (const { name } of tables) {
    const [row] = await sql`select count(*)::int as n from ${sql(name)} as one
      where position(${text} in one::text) > 0 or position(${hex} in one::text) > 0`;
    if (row?.['n'] > 0) found.push(name);
  }
  return found;
}
