// The release before reads and writes `developers.api_key_hash`. These are its statements, on the schema of this one.
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sha256 } from '../../src/hash.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { startService, type TestService } from '../support/service.ts';

const MIGRATIONS = new URL('../../src/db/migrations/', import.meta.url);
const OWN = '0013_keys_and_stops.sql';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

const older = {
  signUp: (id: string, key: string) => service.database.sql`
    insert into developers (id, name, mode, api_key_hash, created_at) values (${id}, 'D', 'sandbox', ${sha256(key)}, now())`,
  rotate: (from: string, to: string) => service.database.sql`
    update developers set api_key_hash = ${sha256(to)} where api_key_hash = ${sha256(from)} returning id`,
  knows: async (key: string) => {
    const rows = await service.database.sql`select id from developers where api_key_hash = ${sha256(key)}`;
    return rows.length === 1;
  },
};
const status = async (key: string) => (await service.request('GET', '/v1/me', { key })).status;

test('the migration takes the key of each developer over, and its mode', async () => {
  const database: TestDatabase = await createTestDatabase();
  const { sql } = database;
  await sql.unsafe('drop schema public cascade; create schema public');
  for (const name of readdirSync(MIGRATIONS)
    .sort()
    .filter((one) => one < OWN))
    await sql.unsafe(readFileSync(new URL(name, MIGRATIONS), 'utf8'));
  await sql`insert into developers (id, name, mode, api_key_hash, created_at)
    values ('dev_1', 'A', 'live', ${sha256('one')}, '2027-01-01'), ('dev_2', 'B', 'sandbox', ${sha256('two')}, '2027-01-02')`;
  await sql.unsafe(readFileSync(new URL(OWN, MIGRATIONS), 'utf8'));
  const rows =
    await sql`select developer_id as of, hash, name, prefix, id ~ '^key_[0-9A-Z]{26}$' as named, expires_at as ends,
    created_at = (select created_at from developers where id = developer_id) as aged from api_keys order by 1`;
  const common = { name: 'default', named: true, ends: null, aged: true };
  expect([...rows]).toEqual([
    { ...common, of: 'dev_1', hash: sha256('one'), prefix: 'gx_live_' },
    { ...common, of: 'dev_2', hash: sha256('two'), prefix: 'gx_test_' },
  ]);
  await database.drop();
});

test('this release knows the keys that the older one makes and rotates', async () => {
  await older.signUp('dev_older', 'first_key');
  expect(await status('first_key')).toBe(200);
  await older.rotate('first_key', 'second_key');
  expect([await status('first_key'), await status('second_key')]).toEqual([401, 200]);
});

test('the older release knows one key that this one made, follows its rotation, and none that has gone', async () => {
  const { apiKey } = await service.signup();
  expect(await older.knows(apiKey)).toBe(true);
  const call = async (key: string, method: string, path: string, body?: unknown) =>
    (await service.request(method, path, { key, body })).body;
  const { apiKey: rotated } = await call(apiKey, 'POST', '/v1/keys/rotate', { overlapSeconds: 60 });
  expect([await older.knows(apiKey), await older.knows(rotated)]).toEqual([false, true]);

  const { apiKey: second } = await call(rotated, 'POST', '/v1/keys', { name: 'second' });
  const { apiKey: short } = await call(rotated, 'POST', '/v1/keys', { name: 'short', expiresIn: '1h' });
  expect([await older.knows(second), await older.knows(short)]).toEqual([false, false]);
  const idOf = async (name: string, n = 0) =>
    (await call(rotated, 'GET', '/v1/keys')).keys.filter((one: { name: string }) => one.name === name)[n].id;
  // It takes over another key that does not expire, and at last none.
  await call(second, 'DELETE', `/v1/keys/${await idOf('default', 1)}`);
  expect([await older.knows(rotated), await older.knows(second)]).toEqual([false, true]);
  const { keys } = await call(second, 'GET', '/v1/keys');
  await call(short, 'DELETE', `/v1/keys/${keys.find(({ name }: { name: string }) => name === 'second').id}`);
  expect([await older.knows(second), await older.knows(short), await status(short)]).toEqual([
    false,
    false,
    200,
  ]);
  // Both releases go on with the developer's keys.
  await older.signUp('dev_late', 'late_key');
  expect(await status('late_key')).toBe(200);
});

test('a seed key that was given a successor with an overlap makes no second developer at the next start', async () => {
  const key = 'seed-key-of-some-length';
  const env = { SEED_API_KEY: key };
  const first = await startService({ database: service.database, env });
  expect(
    (await first.request('POST', '/v1/keys/rotate', { key, body: { overlapSeconds: 600 } })).status,
  ).toBe(200);
  await first.stop();
  const next = await startService({ database: service.database, env });
  const [row] = await service.database
    .sql`select count(*)::int as n from developers where name = 'Seed developer'`;
  expect([row?.['n'], (await next.request('GET', '/v1/me', { key })).status]).toEqual([1, 200]);
  const { keys } = (await next.request('GET', '/v1/keys', { key })).body;
  expect(keys.map(({ prefix }: { prefix: string }) => prefix)).toEqual([
    'seed',
    expect.stringMatching(/^gx_live_.{4}$/),
  ]);
  await next.stop();
});
