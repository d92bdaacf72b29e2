import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '../../src/db/client.ts';
import { bool, int } from '../../src/db/column-types.ts';
import { query } from '../../src/db/query.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { openTestDatabase } from '../support/open-database.ts';
import { waitFor } from '../support/service.ts';

let database: TestDatabase;
let db: Database;
const measured: string[] = [];
beforeAll(async () => {
  database = await createTestDatabase();
  db = await openTestDatabase(database, (name) => measured.push(name));
});
afterAll(async () => {
  await db.close(1000);
  await database.drop();
});

const ready = query({
  operation: 'SELECT',
  name: 'ready',
  text: 'select true as ready',
  params: {},
  row: { ready: bool },
});
const one = query({
  operation: 'SELECT',
  name: 'one',
  text: 'select $n::int as one',
  params: { n: int },
  row: { one: int },
});
/** As the job queue writes what it does by itself. */
const BLOCK = 'BEGIN; select pg_sleep(0.002); COMMIT';
const BLOCKS = 200;

test('a connection that is reserved counts as used until it is released, or lost', async () => {
  const { background } = db;
  const reserved = await background.driver().reserve();
  expect(background.connections().used).toBe(1);
  reserved.release();
  await waitFor(async () => background.connections().used === 0 || undefined);

  const lost = await background.driver().reserve();
  await expect(lost.unsafe('select pg_terminate_backend(pg_backend_pid())')).rejects.toThrow();
  await waitFor(async () => background.connections().used === 0 || undefined);
  lost.release();
  expect(await background.all(one, { n: 1 })).toEqual([{ one: 1 }]);
});

test('what is run on a reserved connection is measured as the queue’s other statements are', async () => {
  const reserved = await db.background.driver().reserve();
  measured.length = 0;
  await reserved.unsafe(BLOCK);
  reserved.release();
  expect(measured).toEqual(['queue']);
});

test('transactions of three beside the blocks of the queue all begin and all end', async () => {
  const { background } = db;
  let upkeep = true;
  const blocks = async () => {
    for (let done = 0; done < BLOCKS; done++) {
      const reserved = await background.driver().reserve();
      await reserved.unsafe(BLOCK);
      reserved.release();
    }
    upkeep = false;
  };
  const work = async () => {
    let done = 0;
    for (; upkeep; done++) {
      const rows = await background.transaction((tx) => tx.all(one, { n: done }));
      expect(rows).toEqual([{ one: done }]);
      expect(await background.all(ready, {})).toEqual([{ ready: true }]);
      await background.driver().unsafe('select $1::int', [done]);
    }
    return done;
  };
  const [, ...turns] = await Promise.all([blocks(), work(), work(), work()]);
  expect(Math.min(...turns)).toBeGreaterThan(0);
});
