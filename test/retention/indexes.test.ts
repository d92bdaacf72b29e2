import { afterAll, beforeAll, expect, test } from 'vitest';
import { allQueries } from '../../src/db/query.ts';
import '../../src/retention/retention.ts';
import '../../src/retention/oldest-store.ts';
import { fillTables } from '../db/fill-tables.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const STATEMENTS = allQueries().filter(
  ({ name }) => name.startsWith('retention.') && !/turn|position/.test(name),
);
/** Their rows come in the order of an index. */
const IN_ORDER = ['requests', 'tokens', 'anomalies', 'ended_grants', 'oldest'];
const TABLES = [
  'authorization_requests',
  'tokens',
  'refresh_tokens',
  'grants',
  'anomalies',
  'audit_entries',
  'agents',
];

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  const { sql } = database;
  await sql`insert into developers (id, name, mode, api_key_hash, created_at) values ('dev_a', 'D', 'live', 'a', now())`;
  await sql`insert into agents (id, developer_id, name, description, scopes, status, created_at, updated_at)
    values ('ag_a', 'dev_a', 'A', '', '{}', 'active', now(), now())`;
  const nothing = () => Promise.reject(new Error('only the ids are used'));
  const party = {
    newAgent: nothing,
    authorize: nothing,
    consent: nothing,
    exchange: nothing,
    grant: nothing,
  };
  const rest = { delegate: nothing, verify: nothing };
  await fillTables(sql, { ...party, ...rest, key: '', developerId: 'dev_a', agentId: 'ag_a' });
  await sql.unsafe('analyze');
});
afterAll(() => database.drop());

const planOf = async (text: string): Promise<string> => {
  const rows = await database.sql.unsafe(`explain (generic_plan) ${text}`).simple();
  return rows.map((row) => row['QUERY PLAN']).join('\n');
};

test('all of its statements are here', () => {
  expect(STATEMENTS.map(({ name }) => name.replace('retention.', '')).toSorted()).toEqual([
    'anomalies',
    'audit_entries',
    'audit_prefixes',
    'ended_grants',
    'grants',
    'oldest',
    'oldest_audit',
    'process_counts',
    'refresh_tokens_of_grants',
    'removals',
    'removed_counts',
    'removed_grants',
    'requests',
    'tokens',
    'tokens_of_grants',
    'used_refresh_tokens',
  ]);
});

test.each(STATEMENTS)('$name reads no table from end to end, and sorts no table', async ({ name, text }) => {
  const plan = await planOf(text);
  const scanned = Array.from(plan.matchAll(/Seq Scan on (\w+)/g), ([, table = '']) => table);
  expect(
    scanned.filter((table) => TABLES.includes(table)),
    plan,
  ).toEqual([]);
  if (!IN_ORDER.includes(name.replace('retention.', ''))) return;
  // Beside it only what is tallied is sorted: as many rows as a statement removes.
  const sorted = plan
    .split('\n')
    .filter((line, n, lines) => /Sort$|Sort {2}\(/.test(line) && /Scan using/.test(lines[n + 2] ?? ''));
  expect(sorted, plan).toEqual([]);
});
