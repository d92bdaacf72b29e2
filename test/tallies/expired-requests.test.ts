import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Database } from '../../src/db/client.ts';
import { countExpiredRequests } from '../../src/tallies/expired-store.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { openTestDatabase } from '../support/open-database.ts';

const MINUTE = 60_000;
/** Any whole minute; no clock matters to the counts. */
const NOW = Date.parse('2027-05-04T10:00:00Z');

let database: TestDatabase;
let replicas: Database[];
beforeAll(async () => {
  database = await createTestDatabase();
  replicas = await Promise.all([0, 1, 2].map(() => openTestDatabase(database)));
  const { sql } = database;
  await sql`insert into developers (id, name, mode, api_key_hash, created_at) values ('dev', 'D', 'live', 'x', now())`;
  await sql`insert into agents (id, developer_id, name, description, scopes, status, created_at, updated_at)
    values ('ag', 'dev', 'A', '', '{}', 'active', now(), now())`;
});
beforeEach(async () => {
  await database.sql`delete from authorization_requests`;
  await database.sql`update tallies set total = 0, horizon = ${new Date(NOW)} where name like 'requests_expired_%'`;
});
afterAll(async () => {
  await Promise.all(replicas.map((db) => db.close(1000)));
  await database.drop();
});

interface Row {
  readonly status?: 'pending' | 'approved' | 'denied';
  readonly endsAt: number;
  readonly codeEndsAt?: number;
  readonly exchanged?: boolean;
}
const add = async (prefix: string, rows: readonly Row[]) => {
  for (const [n, { status = 'pending', endsAt, codeEndsAt, exchanged = false }] of rows.entries())
    await database.sql`
      insert into authorization_requests (id, developer_id, agent_id, principal_id, scopes, grant_seconds, status,
        created_at, expires_at, code_expires_at, exchanged_at)
      values (${prefix + n}, 'dev', 'ag', 'p', '{}', 60, ${status}, now(), ${new Date(endsAt)},
        ${codeEndsAt === undefined ? null : new Date(codeEndsAt)}, ${exchanged ? new Date(endsAt) : null})`;
};
const count = (target: number, { db = replicas[0] as Database, limit = 1000 } = {}) =>
  countExpiredRequests(db.background, { target: new Date(target), limit });
const totals = async () =>
  Object.fromEntries(
    (await database.sql`select name, total::int from tallies where name like 'requests_expired_%'`).map(
      ({ name, total }) => [String(name).replace('requests_expired_', ''), total],
    ),
  );

test('by what was done to them: undecided, unused, and neither when they were exchanged or denied', async () => {
  const endsAt = NOW + 1000;
  await add('a', [
    { endsAt },
    { endsAt, codeEndsAt: endsAt + 1000 },
    { status: 'approved', endsAt, codeEndsAt: endsAt },
    { status: 'approved', endsAt, codeEndsAt: NOW + 2 * MINUTE },
    { status: 'approved', endsAt, codeEndsAt: endsAt, exchanged: true },
    { endsAt, codeEndsAt: endsAt, exchanged: true },
    { status: 'denied', endsAt },
    { endsAt: NOW - 1 },
    { endsAt: NOW + MINUTE + 1 },
  ]);
  expect(await count(NOW + MINUTE)).toEqual({ undecided: 2, unused: 1, more: false });
  expect(await count(NOW + MINUTE)).toEqual({ undecided: 0, unused: 0, more: false });
  expect(await count(NOW)).toEqual({ undecided: 0, unused: 0, more: false });
  expect(await count(NOW + 2 * MINUTE)).toEqual({ undecided: 1, unused: 1, more: false });
  expect(await totals()).toEqual({ undecided: 3, unused: 2 });
});

test('replicas that count at the same time, in small steps: each request once', async () => {
  await add(
    'b',
    Array.from(
      { length: 60 },
      (_, n): Row => ({ endsAt: NOW + 1 + n * 500, status: n % 3 ? 'pending' : 'approved' }),
    ),
  );
  const counted = { undecided: 0, unused: 0 };
  const replica = async (db: Database) => {
    for (let rounds = 0; rounds < 30; rounds++) {
      const { undecided, unused } = await count(NOW + MINUTE, { db, limit: 7 });
      counted.undecided += undecided;
      counted.unused += unused;
    }
  };
  await Promise.all(replicas.map(replica));
  expect(counted).toEqual({ undecided: 40, unused: 20 });
  expect(await totals()).toEqual(counted);
});
