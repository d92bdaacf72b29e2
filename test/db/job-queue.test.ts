import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '../../src/db/client.ts';
import { openJobQueue } from '../../src/db/job-queue.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { openTestDatabase } from '../support/open-database.ts';

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  db = await openTestDatabase(database);
});
afterAll(async () => {
  await db.close(1000);
  await database.drop();
});

const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

test('a queue that cannot be opened leaves nothing at work behind', async () => {
  const options = { expireSeconds: 60, migrate: false, onError: () => undefined };
  const sound = await openJobQueue(db.background, { ...options, name: 'sound' });
  await sound.stop();
  const idle = timers();
  await expect(openJobQueue(db.background, { ...options, name: 'no name for a queue' })).rejects.toThrow();
  expect(timers()).toBeLessThanOrEqual(idle);
});
