import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '../../src/db/client.ts';
import { migrate } from '../../src/db/migrate.ts';
import { foldTallies, keptNumbers } from '../../src/tallies/store.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { keptAndCounted } from '../support/kept-numbers.ts';
import { openTestDatabase } from '../support/open-database.ts';

const MINUTE = 60_000;
/** Any whole minute; no clock matters to the numbers. */
const NOW = Date.parse('2027-05-04T10:00:00Z');
const MIGRATIONS = new URL('../../src/db/migrations/', import.meta.url);

/** How the connections that are killed are told from the test's. */
const REPLICA = 'replica_under_test';

let database: TestDatabase;
let replicas: Database[];
beforeAll(async () => {
  database = await createTestDatabase();
  const ofReplica = { ...database, url: `${database.url}?application_name=${REPLICA}` };
  replicas = [await openTestDatabase(ofReplica), await openTestDatabase(ofReplica)];
  await addParties(database);
});
afterAll(async () => {
  await Promise.all(replicas.map((db) => db.close(1000)));
  await database.drop();
});

const addParties = async ({ sql }: TestDatabase) => {
  await sql`insert into developers (id, name, mode, api_key_hash, created_at) values ('dev', 'D', 'live', 'x', now())`;
  await sql`insert into agents (id, developer_id, name, description, scopes, status, created_at, updated_at)
    values ('ag', 'dev', 'A', '', '{}', 'active', now(), now())`;
};
const addGrants = (sql: postgres.ISql, prefix: string, endsAt: readonly Date[]) => sql`
  insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at, root_grant_id,
    delegation_depth)
  select ${prefix} || n, 'dev', 'ag', 'p', '{}', 'active', now(), ends_at::timestamptz, ${prefix} || n, 0
  from json_array_elements_text(${JSON.stringify(endsAt)}::text::json) with ordinality ends (ends_at, n)`;
const addAnomaly = (sql: postgres.ISql, id: string, acknowledged = false) => sql`
  insert into anomalies (id, developer_id, type, severity, agent_id, description, metadata, detected_at, seen_at,
    acknowledged_at)
  values (${id}, 'dev', ${id}, 'low', 'ag', '', '{}', now(), now(), ${acknowledged ? new Date() : null})`;
const compared = (now: number) => keptAndCounted(database.sql, now);
const fold = (now: number, db = replicas[0] as Database, rows = 1000) =>
  db.background.transaction((tx) => foldTallies(tx, { target: new Date(now), changes: 500, rows }));
/** What differs, at any of the times around the horizon. */
const differencesAt = async (times: readonly number[]) => {
  const all = await Promise.all(times.map(compared));
  return all.filter(({ kept, counted }) => JSON.stringify(kept) !== JSON.stringify(counted));
};
const AROUND = [-400, -61, -1, 0, 0.5, 30, 59.999, 60, 3600].map((seconds) => NOW + seconds * 1000);

test('making, revoking, expiring and removing: the numbers are those of the rows, before and after each fold', async () => {
  const { sql } = database;
  await addGrants(
    sql,
    'a',
    [-3600, 0, 1, 59, 60, 61, 3600, 86_400].map((s) => new Date(NOW + s * 1000)),
  );
  await addAnomaly(sql, 'one');
  await addAnomaly(sql, 'two');
  await addAnomaly(sql, 'old', true);
  const check = async (active: number, unacknowledged: number) => {
    for (const folded of [false, true]) {
      if (folded) await fold(NOW);
      expect((await compared(NOW)).kept).toEqual({ active, pending: 0, unacknowledged });
      expect(await differencesAt(AROUND)).toEqual([]);
    }
  };
  await check(6, 2);
  await sql`update grants set status = 'revoked', revoked_at = now() where id in ('a1', 'a3', 'a7')`;
  await sql`update anomalies set acknowledged_at = now() where id in ('one', 'old')`;
  await check(4, 1);
  await sql`delete from grants where id in ('a4', 'a7')`;
  await sql`delete from anomalies where id in ('one', 'two')`;
  await check(3, 0);
  await sql`update grants set scopes = '{b}'`;
  await check(3, 0);
  for (const minutes of [1, 2, 60, 1440]) await fold(NOW + minutes * MINUTE);
  expect((await compared(NOW + 1440 * MINUTE)).kept['active']).toBe(0);
  // A horizon that a wrong clock moved too far costs time and no exactness.
  expect(await differencesAt(AROUND)).toEqual([]);
});

test('the horizon moves in steps of some rows, a minute at least', async () => {
  const { sql } = database;
  const horizon = async () => {
    const [row] = await sql`select horizon from tallies where name = 'active_grants'`;
    return Number(row?.['horizon']);
  };
  const from = await horizon();
  const within = (minute: number) =>
    Array.from({ length: 5 }, (_, n) => new Date(from + minute * MINUTE + n));
  await addGrants(sql, 'steps', [...within(0), ...within(5), ...within(9)]);
  const target = from + 20 * MINUTE;
  const seen: unknown[] = [];
  for (let more = true; more; ) {
    more = await fold(target, replicas[0], 2);
    seen.push([((await horizon()) - from) / MINUTE, more]);
    expect(await differencesAt([from + 5 * MINUTE + 2, target])).toEqual([]);
  }
  expect(seen).toEqual([
    [1, true],
    [5, true],
    [6, true],
    [9, true],
    [10, true],
    [20, false],
  ]);
});

test('a reading takes as many pages from the database with twenty times the grants', async () => {
  const { sql } = database;
  const [row] = await sql`select horizon from tallies where name = 'active_grants'`;
  const now = Number(row?.['horizon']) + MINUTE;
  const far = (count: number) =>
    Array.from({ length: count }, (_, n) => new Date(now + MINUTE * (60 + (n % 1000))));
  const pages = async () => {
    while (await fold(now - MINUTE));
    await sql`vacuum analyze grants, tally_changes, tallies`;
    const { active, pending, unacknowledged } = keptNumbers(`timestamptz '${new Date(now).toISOString()}'`);
    const [plan] = await sql.unsafe(
      `explain (analyze, buffers, format json) select ${active}, ${pending}, ${unacknowledged}`,
    );
    const [{ Plan: top }] = plan?.['QUERY PLAN'] ?? [];
    expect(JSON.stringify(top)).not.toMatch(/"Seq Scan"[^{}]*"grants"/);
    return top['Shared Hit Blocks'] + top['Shared Read Blocks'];
  };
  await addGrants(sql, 'few', far(500));
  const few = await pages();
  await addGrants(sql, 'many', far(10_000));
  expect(await pages()).toBeLessThan(few + 10);
});

test('two replicas fold and are killed, while writers come, go and roll back: at no moment do the numbers differ', async () => {
  const { sql } = database;
  const [row] = await sql`select horizon from tallies where name = 'active_grants'`;
  const from = Number(row?.['horizon']);
  const anywhere = () => new Date(from + Math.random() * 12 * MINUTE);
  let at = from;
  let working = true;
  let killed = 0;
  const counts = { made: 0, ended: 0, rolledBack: 0 };
  const writers = Array.from({ length: 4 }, async (_, writer) => {
    for (let n = 0; working; n++) {
      const name = `w${writer}_${n}_`;
      await sql
        .begin(async (tx) => {
          await addGrants(tx, name, Array.from({ length: 1 + (n % 7) }, anywhere));
          counts.made += 1 + (n % 7);
          await addAnomaly(tx, name);
          await tx`update grants set status = 'revoked', revoked_at = now() where status = 'active' and id = any(array(
            select id from grants where id like ${`w${(writer + 1) % 4}%`} order by random() limit 3 for update skip locked))`;
          if (n % 5 === 0)
            await tx`delete from grants where id = any(array(
              select id from grants where id like 'w%' order by random() limit 4 for update skip locked))`;
          if (n % 3 === 0) await tx`update anomalies set acknowledged_at = now() where id = ${name}`;
          if (n % 4 === 0) throw new Error('rolled back');
          counts.ended++;
        })
        .catch((error: unknown) => {
          if (!/rolled back/.test(String(error))) throw error;
          counts.rolledBack++;
        });
    }
  });
  const folders = replicas.map(async (db) => {
    while (working) {
      at += 100;
      await fold(Math.floor(at / MINUTE) * MINUTE + MINUTE, db, 20).catch((error: unknown) => {
        if (!/terminat|CONNECTION|unavailable/i.test(String(error))) throw error;
      });
    }
  });
  const differences: unknown[] = [];
  let looks = 0;
  while (looks < 30 || killed === 0 || counts.ended < 10 || counts.rolledBack === 0) {
    differences.push(...(await differencesAt([from, at, from + 6 * MINUTE])));
    looks++;
    if (looks % 5 === 0) {
      const ended = await sql`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name = ${REPLICA} and state <> 'idle' limit 2`;
      killed += ended.length;
    }
  }
  working = false;
  await Promise.all([...writers, ...folders]);
  expect(differences).toEqual([]);
  while (await fold(from + 30 * MINUTE));
  expect(await differencesAt([from, from + 6 * MINUTE, from + 60 * MINUTE])).toEqual([]);
  const [left] = await sql`select count(*)::int as changes from tally_changes`;
  expect(left).toEqual({ changes: 0 });
});

test('the migration begins with the rows that it finds', async () => {
  const old = await createTestDatabase();
  await old.sql.unsafe('drop schema public cascade; create schema public');
  await old.sql`create table schema_migrations (
    name text primary key, checksum text not null, applied_at timestamptz not null default now())`;
  const before = readdirSync(MIGRATIONS).filter((name) => name < '0007');
  for (const name of before) {
    const text = readFileSync(new URL(name, MIGRATIONS), 'utf8');
    await old.sql.unsafe(text);
    const checksum = createHash('sha256').update(text).digest('hex');
    await old.sql`insert into schema_migrations (name, checksum) values (${name}, ${checksum})`;
  }
  await addParties(old);
  const now = Date.now();
  await addGrants(
    old.sql,
    'a',
    [-86_400, -90, -1, 30, 60, 3600].map((s) => new Date(now + s * 1000)),
  );
  await old.sql`update grants set status = 'revoked', revoked_at = now() where id = 'a5'`;
  await addAnomaly(old.sql, 'one');
  await addAnomaly(old.sql, 'two', true);
  await migrate(old.url);
  const found = { active: 2, pending: 0, unacknowledged: 1 };
  expect(await keptAndCounted(old.sql, now)).toEqual({ kept: found, counted: found });
  await old.drop();
});
