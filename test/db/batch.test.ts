import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBatch } from '../../src/db/batch.ts';
import { type Database, openDatabase } from '../../src/db/client.ts';
import { bytes, int } from '../../src/db/column-types.ts';
import { batchQuery } from '../../src/db/query.ts';
import { NO_DATABASE_TELEMETRY } from '../../src/telemetry/database.ts';
import { waitFor } from '../support/child.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

/** Counts what is sent, and runs it as it is. */
let sent = 0;
/** How many statements are with the database now, and were at once at most. */
let out = 0;
let mostOut = 0;
let testDatabase: TestDatabase;
let db: Database;
beforeAll(async () => {
  testDatabase = await createTestDatabase();
  await testDatabase.sql`create table numbers (n int primary key)`;
  db = openDatabase({
    url: testDatabase.url,
    poolMax: 4,
    onConnectionError: () => undefined,
    telemetry: {
      ...NO_DATABASE_TELEMETRY,
      statement: (_statement, _links, run) => {
        sent++;
        out++;
        mostOut = Math.max(mostOut, out);
        return run().finally(() => out--);
      },
    },
  });
});
afterAll(async () => {
  await db.close(1000);
  await testDatabase.drop();
});

const insert = batchQuery({
  operation: 'INSERT',
  collection: 'numbers',
  name: 'test.numbers',
  question: { n: int, note: bytes },
  row: { tenfold: int, noted: bytes },
  text: (asked) => `with ${asked},
    made as (insert into numbers select n from asked where n > 0 returning n)
    select asked.n * 10 as tenfold, asked.note as noted from asked left join made using (n) order by ordinal`,
});
const numbers = async () => (await testDatabase.sql`select n from numbers order by n`).map(({ n }) => n);
const note = Buffer.from([0, 255]);
const ask = () => {
  const batch = createBatch(db, insert);
  return (n: number) => batch({ n, note });
};

test('questions of one turn share a statement, and each gets its own answer', async () => {
  const before = sent;
  const one = ask();
  const answers = await Promise.all([3, 1, 2].map((n) => one(n)));
  expect(answers).toEqual([30, 10, 20].map((tenfold) => ({ tenfold, noted: note })));
  expect(sent - before).toBe(1);
});

test('what is asked while a statement is out shares the next one', async () => {
  const before = sent;
  const one = ask();
  const first = one(100);
  await nextTurn();
  await nextTurn();
  const others = [101, 102, 103].map((n) => one(n));
  await Promise.all([first, ...others]);
  expect(sent - before).toBe(2);
});

test('a row that the database refuses fails alone', async () => {
  const one = ask();
  const outcomes = await Promise.allSettled([201, 1, 202].map((n) => one(n)));
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(outcomes[1]).toMatchObject({ reason: { code: '23505' } });
  expect(await numbers()).toEqual(expect.arrayContaining([201, 202]));
});

/** Runs `work` while nobody else can insert the numbers from `from` to `to`: who tries waits for a lock. */
const whileHeld = (from: number, to: number, work: () => Promise<void>) =>
  testDatabase.sql
    .begin(async (tx) => {
      await tx`insert into numbers select generate_series(${from}::int, ${to}::int)`;
      await work();
      throw new Error('undo');
    })
    .catch((error: Error) => {
      if (error.message !== 'undo') throw error;
    });

test('three batches wait for locks at once, and a fourth does not: one connection stays free', async () => {
  const one = ask();
  const asked: Promise<unknown>[] = [];
  mostOut = 0;
  await whileHeld(300, 399, async () => {
    const begun = performance.now();
    let next = 300;
    // Each look asks a question more, a good deal after the five milliseconds that a batch is waited for.
    await waitFor(() => {
      asked.push(one(next++));
      return (mostOut >= 3 && performance.now() - begun > 300) || next > 399 || undefined;
    });
  });
  await Promise.allSettled(asked);
  expect(mostOut).toBe(3);
  expect(out).toBe(0);
});

test('the questions of a refused batch are asked three at a time', async () => {
  const one = ask();
  await one(400);
  mostOut = 0;
  const asked: Promise<unknown>[] = [];
  await whileHeld(401, 408, async () => {
    // The first is a duplicate, for which the whole batch is refused before it comes to what is held.
    for (let n = 400; n <= 408; n++) asked.push(one(n));
    void Promise.allSettled(asked);
    const begun = performance.now();
    // Time enough for a fourth to come, which may need a connection that has to be made.
    await waitFor(() => (mostOut >= 3 && performance.now() - begun > 300) || undefined);
  });
  const [first] = await Promise.allSettled(asked);
  expect(first).toMatchObject({ status: 'rejected', reason: { code: '23505' } });
  expect(mostOut).toBe(3);
});
