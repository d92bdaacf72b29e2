import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '../../src/db/client.ts';
import { createKeyUses } from '../../src/developers/key-uses.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { openTestDatabase } from '../support/open-database.ts';
import { startService, waitFor } from '../support/service.ts';

let database: TestDatabase;
let db: Database;
const statements: string[] = [];
const failed: unknown[] = [];
beforeAll(async () => {
  database = await createTestDatabase();
  db = await openTestDatabase(database, (name) => void statements.push(name));
  await database.sql`insert into developers (id, name, mode, api_key_hash, created_at)
    select 'dev_' || n, 'D', 'live', convert_to('key' || n, 'UTF8'), now() from generate_series(1, 2500) n`;
});
afterAll(async () => {
  await db.close(1000);
  await database.drop();
});

const telemetry = { events: { backgroundWorkFailed: (event: unknown) => void failed.push(event) } };
const usesAt = (now: () => number, writeEveryMs: number) =>
  createKeyUses({ db, clock: { now }, telemetry: telemetry as never }, { writeEveryMs });
const hash = (n: number) => Buffer.from(`key${n}`);
const lastUsed = async () => {
  const rows = await database.sql<{ at: Date }[]>`
    select last_used_at as at from api_keys where last_used_at is not null order by developer_id`;
  return rows.map(({ at }) => at.getTime());
};

test('a use costs no statement; all uses are written together, the latest of each key, and again only a minute later', async () => {
  let now = Date.parse('2027-01-01T00:00:00Z');
  const uses = usesAt(() => now, 60_000);
  uses.start();
  for (let turn = 0; turn < 20; turn++) for (let n = 1; n <= 2500; n++) uses.keyUsed(hash(n));
  now += 5_000;
  uses.keyUsed(hash(1));
  expect([statements, await lastUsed()]).toEqual([[], []]);
  await uses.stop(5_000);
  expect(statements).toEqual(Array(3).fill('api_keys.used'));
  const at = await lastUsed();
  expect([at.length, at.filter((one) => one === now - 5_000).length, at.includes(now)]).toEqual([
    2500,
    2499,
    true,
  ]);

  // Another replica, within the minute.
  const soon = usesAt(() => now + 50_000, 60_000);
  soon.keyUsed(hash(1));
  soon.start();
  await soon.stop(5_000);
  expect(await lastUsed()).toEqual(at);
  expect(failed).toEqual([]);
});

test('it writes while it runs, not only at the end', async () => {
  const uses = usesAt(() => Date.parse('2027-02-01T00:00:00Z'), 20);
  uses.keyUsed(hash(7));
  uses.start();
  await waitFor(async () =>
    (await lastUsed()).includes(Date.parse('2027-02-01T00:00:00Z')) ? true : undefined,
  );
  await uses.stop(5_000);
});

test('what could not be written is written the next time, with the later use of each key', async () => {
  const first = Date.parse('2027-03-01T00:00:00Z');
  let now = first;
  const uses = usesAt(() => now, 50);
  const written = async (at: number) => (await lastUsed()).filter((one) => one === at).length;
  await database.sql`alter table api_keys rename to api_keys_gone`;
  const before = failed.length;
  for (let n = 1; n <= 1500; n++) uses.keyUsed(hash(n));
  uses.start();
  await waitFor(() => failed.length > before || undefined);
  now += 60_000;
  uses.keyUsed(hash(1));
  await waitFor(() => failed.length > before + 2 || undefined);
  await database.sql`alter table api_keys_gone rename to api_keys`;
  await waitFor(async () => ((await written(first)) === 1499 ? true : undefined));
  await uses.stop(5_000);
  expect([await written(first), await written(now)]).toEqual([1499, 1]);
  expect(failed[before]).toMatchObject({ work: 'key_uses' });
});

test('the service tells when a key was used, and not of one that was refused', async () => {
  const service = await startService({ database });
  const { apiKey } = await service.signup();
  const { body } = await service.request('POST', '/v1/keys', { key: apiKey, body: { name: 'unused' } });
  const from = Date.now();
  expect(
    (await service.request('POST', '/v1/tokens/verify', { key: apiKey, body: { token: 'x' } })).status,
  ).toBe(200);
  expect((await service.request('DELETE', '/v1/keys/key_none', { key: `${body.apiKey}x` })).status).toBe(401);
  await service.stop();
  const replica = await startService({ database });
  const { keys } = (await replica.request('GET', '/v1/keys', { key: apiKey })).body;
  await replica.stop();
  expect(keys.map(({ name }: { name: string }) => name)).toEqual(['default', 'unused']);
  expect(keys[1].lastUsedAt).toBeNull();
  expect(Date.parse(keys[0].lastUsedAt)).toBeGreaterThanOrEqual(from - 1000);
});
