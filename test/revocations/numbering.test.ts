import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type postgres from 'postgres';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Database } from '../../src/db/client.ts';
import { migrate } from '../../src/db/migrate.ts';
import { entriesAfter, snapshotPage } from '../../src/revocations/entry-store.ts';
import { forgetExpired, lookAtFeed, numberEntries } from '../../src/revocations/numbering-store.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { openTestDatabase } from '../support/open-database.ts';

const MIGRATIONS = new URL('../../src/db/migrations/', import.meta.url);

let database: TestDatabase;
let db: Database;
let statements: string[];
beforeAll(async () => {
  database = await createTestDatabase();
  db = await openTestDatabase(database, (name) => statements.push(name));
  await addParty(database.sql);
});
afterAll(async () => {
  await db.close(1000);
  await database.drop();
});
beforeEach(async () => {
  statements = [];
  await settle();
  await database.sql`delete from revocation_entries`;
});

const addParty = async (sql: postgres.Sql) => {
  await sql`insert into developers (id, name, mode, api_key_hash, created_at) values ('dev', 'D', 'live', 'x', now())`;
  await addAgent(sql, 'ag');
};
const addAgent = (sql: postgres.ISql, id: string) => sql`
  insert into agents (id, developer_id, name, description, scopes, status, created_at, updated_at)
  values (${id}, 'dev', 'A', '', '{}', 'active', now(), now())`;
const addGrants = (sql: postgres.ISql, prefix: string, count: number, agentId = 'ag') => sql`
  insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at, root_grant_id,
    delegation_depth)
  select ${prefix} || n, 'dev', ${agentId}, 'p', '{}', 'active', now() - n * interval '1 ms', now() + interval '1 hour',
    ${prefix} || n, 0
  from generate_series(1, ${count}::int) n`;
const revoke = (sql: postgres.ISql, ids: string[]) =>
  sql`update grants set status = 'revoked', revoked_at = now(), revoked_by = 'developer' where id = any(${ids})`;
const setStatus = (sql: postgres.ISql, agentId: string, status: string) =>
  sql`update agents set status = ${status}, updated_at = now() where id = ${agentId}`;
const numberOnce = (limit = 1000) =>
  db.background.transaction((tx) => numberEntries(tx, { limit, now: new Date() }));
const settle = async (limit = 1000) => {
  while (await numberOnce(limit));
};
const since = async (after: number) => {
  const { entries } = await entriesAfter(db, { developerId: 'dev', after, now: new Date(), limit: 10_000 });
  return entries.map(({ action, grantId }) => `${action} ${grantId}`);
};
const snapshot = async () => {
  const asked = {
    developerId: 'dev',
    after: 0,
    cursor: Number.MAX_SAFE_INTEGER,
    now: new Date(),
    limit: 10_000,
  };
  return (await snapshotPage(db, asked)).entries.map(({ action, grantId }) => `${action} ${grantId}`);
};
const position = async () => (await lookAtFeed(db)).lastSeq;

test('a transaction that began first and commits last is numbered above what readers have passed', async () => {
  const { sql } = database;
  await addGrants(sql, 'late', 2);
  const begun = await position();
  const slow = await sql.reserve();
  await slow`begin`;
  await revoke(slow, ['late1']);
  await revoke(sql, ['late2']);
  await settle();
  expect(await since(begun)).toEqual(['revoked late2']);
  const passed = await position();
  await slow`commit`;
  slow.release();
  await settle();
  expect(await since(passed)).toEqual(['revoked late1']);
});

test('while one replica numbers, another one does not wait, and numbers nothing', async () => {
  const { sql } = database;
  await addGrants(sql, 'turn', 1);
  await revoke(sql, ['turn1']);
  const other = await sql.reserve();
  await other`begin`;
  await other`select from feed_positions for update`;
  const before = await position();
  expect(await numberOnce()).toBe(false);
  expect(await since(before)).toEqual([]);
  await other`rollback`;
  other.release();
  await settle();
  expect(await since(before)).toEqual(['revoked turn1']);
});

test('the grants of a removal are told of when they are found, and once', async () => {
  const { sql } = database;
  await addGrants(sql, 'gone', 3);
  const begun = await position();
  await sql`insert into removals (developer_id, agent_id, revoked_by, removed_at)
    values ('dev', 'ag', 'agent_deleted', '2027-01-02T03:04:05Z')`;
  await sql`insert into removal_grants (removal_id, grant_id, expires_at)
    select removals.id, grants.id, expires_at from removals, grants where grants.id like 'gone%' order by grants.id`;
  await settle();
  expect((await since(begun)).sort()).toEqual(['revoked gone1', 'revoked gone2', 'revoked gone3']);
  const [entry] = (await entriesAfter(db, { developerId: 'dev', after: begun, now: new Date(), limit: 1 }))
    .entries;
  expect(entry?.at).toEqual(new Date('2027-01-02T03:04:05Z'));
  await revoke(sql, ['gone1', 'gone2', 'gone3']);
  await settle();
  expect((await since(begun)).sort()).toEqual(['revoked gone1', 'revoked gone2', 'revoked gone3']);
  await sql`delete from removals`;
});

test('an agent with many grants is worked off in steps, and a resumption waits for its suspension', async () => {
  const { sql } = database;
  await addAgent(sql, 'big');
  await addGrants(sql, 'big', 25, 'big');
  const begun = await position();
  await setStatus(sql, 'big', 'suspended');
  await numberOnce(10);
  expect(await since(begun)).toHaveLength(10);
  await setStatus(sql, 'big', 'active');
  await settle(10);
  const ids = Array.from({ length: 25 }, (_, n) => `big${n + 1}`);
  expect(await since(begun)).toEqual([
    ...ids.map((id) => `suspended ${id}`),
    ...ids.map((id) => `resumed ${id}`),
  ]);
  expect(await snapshot()).toEqual([]);
});

test('a grant of a transaction that had seen the agent active and ends after its suspension is found later', async () => {
  const { sql } = database;
  await addAgent(sql, 'race');
  await addGrants(sql, 'first', 1, 'race');
  const begun = await position();
  const slow = await sql.reserve();
  await slow`begin`;
  await addGrants(slow, 'second', 1, 'race');
  await setStatus(sql, 'race', 'suspended');
  await settle();
  expect(await since(begun)).toEqual(['suspended first1']);
  expect((await lookAtFeed(db)).toRepeat).toBe(true);
  await slow`commit`;
  slow.release();
  await settle();
  expect(await since(begun)).toEqual(['suspended first1', 'suspended second1']);
  expect((await lookAtFeed(db)).toRepeat).toBe(false);
});

test('what is revoked is never told of as resumed', async () => {
  const { sql } = database;
  await addAgent(sql, 'both');
  await addGrants(sql, 'both', 2, 'both');
  const begun = await position();
  await setStatus(sql, 'both', 'suspended');
  await settle();
  await revoke(sql, ['both1']);
  await setStatus(sql, 'both', 'active');
  await settle();
  expect(await since(begun)).toEqual([
    'suspended both1',
    'suspended both2',
    'revoked both1',
    'resumed both2',
  ]);
  expect(await snapshot()).toEqual(['revoked both1']);
});

test('an agent that is marked as removed is not suspended besides', async () => {
  const { sql } = database;
  await addAgent(sql, 'marked');
  await addGrants(sql, 'marked', 1, 'marked');
  const begun = await position();
  await sql`update agents set removed_at = now(), status = 'suspended' where id = 'marked'`;
  await settle();
  expect(await since(begun)).toEqual([]);
});

test('refreshes and exchanges fire no trigger of the feed, nor does what changes nothing', async () => {
  const { sql } = database;
  await addGrants(sql, 'calm', 1);
  await sql`insert into tokens (jti, grant_id, kid, expires_at) values ('t', 'calm1', 'k', now() + interval '1 hour')`;
  await sql`update grants set last_used_at = now() where id = 'calm1'`;
  await sql`update grants set status = 'active' where id = 'calm1'`;
  await sql`update tokens set revoked_at = null where jti = 't'`;
  expect(await sql`select from revocation_outbox`).toHaveLength(0);
  await sql`update tokens set revoked_at = now() where jti = 't'`;
  await sql`update tokens set revoked_at = now() where jti = 't'`;
  expect(await sql`select action, jti from revocation_outbox`).toEqual([
    { action: 'token_revoked', jti: 't' },
  ]);
});

test('expired entries are neither numbered nor kept', async () => {
  const { sql } = database;
  await addGrants(sql, 'old', 2);
  await revoke(sql, ['old1']);
  await settle();
  await sql`update revocation_entries set expires_at = now()`;
  await sql`update grants set expires_at = now() where id = 'old2'`;
  await revoke(sql, ['old2']);
  await settle();
  expect(await sql`select grant_id from revocation_entries`).toEqual([{ grant_id: 'old1' }]);
  expect(await forgetExpired(db, { now: new Date(), limit: 10 })).toBe(1);
  expect(await sql`select from revocation_entries`).toHaveLength(0);
});

test('an upgrade tells of what was revoked and suspended before', async () => {
  const old = await createTestDatabase();
  const { sql } = old;
  await sql`drop schema public cascade`;
  await sql`create schema public`;
  await sql`create table schema_migrations (name text primary key, checksum text not null,
    applied_at timestamptz not null default now())`;
  for (const name of readdirSync(MIGRATIONS).filter((one) => one < '0015')) {
    const content = readFileSync(new URL(name, MIGRATIONS), 'utf8');
    await sql.unsafe(content);
    const checksum = createHash('sha256').update(content).digest('hex');
    await sql`insert into schema_migrations (name, checksum) values (${name}, ${checksum})`;
  }
  await addParty(sql);
  await addAgent(sql, 'off');
  await addGrants(sql, 'a', 3);
  await addGrants(sql, 's', 1, 'off');
  await sql`insert into tokens (jti, grant_id, kid, expires_at, revoked_at)
    values ('t', 'a1', 'k', now() + interval '1 hour', now()), ('u', 'a1', 'k', now(), now())`;
  await revoke(sql, ['a2', 'a3']);
  await sql`update grants set expires_at = now() where id = 'a3'`;
  await setStatus(sql, 'off', 'suspended');
  await migrate(old.url);
  const upgraded = await openTestDatabase(old);
  while (await upgraded.background.transaction((tx) => numberEntries(tx, { limit: 100, now: new Date() })));
  const { entries } = await entriesAfter(upgraded, {
    developerId: 'dev',
    after: 0,
    now: new Date(),
    limit: 10,
  });
  expect(entries.map(({ action, grantId, jti }) => [action, grantId, jti])).toEqual([
    ['revoked', 'a2', null],
    ['token_revoked', 'a1', 't'],
    ['suspended', 's1', null],
  ]);
  await upgraded.close(1000);
  await old.drop();
});
