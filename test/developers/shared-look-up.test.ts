import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../src/db/client.ts';
import { authenticate } from '../../src/developers/authenticate.ts';
import { sha256 } from '../../src/hash.ts';
import { NO_DATABASE_TELEMETRY } from '../../src/telemetry/database.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const statements: string[] = [];
let testDatabase: TestDatabase;
let db: Database;
beforeAll(async () => {
  testDatabase = await createTestDatabase();
  await testDatabase.sql`insert into developers (id, name, mode, api_key_hash, created_at)
    select 'dev_' || n, 'Developer ' || n, 'live', sha256(convert_to('key ' || n, 'UTF8')), now() from generate_series(1, 2) n`;
  await testDatabase.sql`update api_keys set expires_at = now() where developer_id = 'dev_2'`;
  db = openDatabase({
    url: testDatabase.url,
    poolMax: 4,
    onConnectionError: () => undefined,
    telemetry: {
      ...NO_DATABASE_TELEMETRY,
      statement: ({ name }, _links, run) => {
        statements.push(name);
        return run();
      },
    },
  });
});
afterAll(async () => {
  await db.close(1000);
  await testDatabase.drop();
});

test('requests that come together share one look-up of their keys, so that a burst of one developer delays nobody', async () => {
  const keys = ['key 1', 'key 2', 'key 1', 'unknown', ...Array.from({ length: 40 }, () => 'key 1')];
  const found = await Promise.all(keys.map((key) => authenticate({ db }, { keyHash: sha256(key) })));
  expect(statements).toEqual(['developers.by_key_hash']);
  const first = { id: 'dev_1', name: 'Developer 1', email: null, mode: 'live', plan: 'free' };
  expect(found).toMatchObject(
    keys.map((key) => {
      if (key === 'key 1') return { value: first };
      return { refusal: { reason: key === 'key 2' ? 'expired' : 'unknown' } };
    }),
  );
});
