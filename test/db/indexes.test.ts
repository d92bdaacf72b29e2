import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Sink, sentSpans, startSink } from '../instrumentation/child.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';
import { callEveryRoute } from './call-every-route.ts';
import { fillTables } from './fill-tables.ts';

const TABLES = [
  'grants',
  'tokens',
  'refresh_tokens',
  'authorization_requests',
  'developers',
  'agents',
  'policies',
  'audit_entries',
  'webhooks',
  'webhook_deliveries',
  'anomalies',
  'revocation_entries',
  'events',
];
/** PostgreSQL plans a prepared statement anew five times before it may keep a plan without values. */
const ROUNDS = 8;
/** Every statement that runs while a caller waits. */
const STATEMENTS = [
  'agents.by_id',
  'agents.insert',
  'agents.list',
  'agents.lock',
  'agents.remove',
  'agents.update',
  ...[0, 1, 2, 4].flatMap((bits) => [`audit.count_${bits}`, `audit.page_${bits}`]),
  'anomalies.acknowledge',
  'anomalies.count',
  'anomalies.count_open',
  'anomalies.newest',
  'anomalies.newest_open',
  'anomalies.open',
  ...[
    'cascade_delegation',
    'high_failure_rate',
    'new_principal',
    'off_hours_activity',
    'rate_spike',
    'unusual_scope_access',
  ].map((type) => `anomalies.${type}_developers`),
  ...['insert', 'list', 'lock', 'prune', 'remove', 'rotate'].map((name) => `api_keys.${name}`),
  'authorization.create',
  'consent.by_id',
  'consent.decide',
  'developers.by_key_hash',
  'developers.insert',
  'events.after',
  'events.follow',
  'grants.by_id',
  'grants.count_0',
  'grants.count_0_active',
  'grants.count_0_expired',
  'grants.count_0_revoked',
  'grants.count_1',
  'grants.count_2',
  'grants.count_3',
  'grants.count_of_principal',
  'grants.delegate',
  'grants.lock_roots',
  'grants.of_principal',
  'grants.of_token',
  'grants.page_0',
  'grants.page_0_active',
  'grants.page_0_expired',
  'grants.page_0_revoked',
  'grants.page_1',
  'grants.page_2',
  'grants.page_3',
  'grants.remove_of_agent',
  'grants.revoke_trees',
  'grants.stop_principal_and_agent',
  ...['agent', 'all', 'principal', 'principal_and_agent'].map((name) => `grants.stoppable_${name}`),
  'grants.tally_removed',
  'policies.by_id',
  'policies.insert',
  'policies.list',
  'policies.remove',
  'policies.update',
  'principal_sessions.developer_name',
  'revocations.after',
  'revocations.snapshot',
  'tokens.exchange_code',
  'tokens.refused_code',
  'tokens.refused_refresh_token',
  'tokens.refresh',
  'tokens.revocation_status',
  'tokens.revoke',
  'tokens.states',
  'webhooks.deliveries_count',
  'webhooks.deliveries_page',
  'webhooks.insert',
  'webhooks.list',
  'webhooks.lock',
  'webhooks.owned',
  'webhooks.remove',
  'webhooks.remove_deliveries',
  'webhooks.rotate_secret',
];

/** How the service's connections are told from the test's. */
const APPLICATION = 'service_under_test';

let database: TestDatabase;
let sink: Sink;
let service: TestService;
let texts: Map<string, string>;
let before: Map<string, number>;

beforeAll(async () => {
  database = await createTestDatabase();
  sink = await startSink();
  const settings = {
    database,
    env: {
      DATABASE_URL: `${database.url}?application_name=${APPLICATION}`,
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '100',
      // No look at all agents comes in between.
      ANOMALY_SCAN_SECONDS: '86400',
    },
  };
  service = await startService(settings);
  const party = await newParty({ ...service, request: (...args) => service.request(...args) });
  // What it read of the tables while they were empty is reported when its connections end.
  await service.stop();
  await waitFor(async () => (await connections()) === 0 || undefined);
  await fillTables(database.sql, party);
  before = await sequentialScans();
  service = await startService(settings);
  for (let round = 0; round < ROUNDS; round++) await callEveryRoute(service, party);
  texts = await waitFor(() => {
    const found = new Map(
      sentSpans(sink).flatMap(({ attributes }): [string, string][] => {
        const { 'grantex.statement': name, 'db.query.text': text } = attributes;
        return typeof name === 'string' && typeof text === 'string' ? [[name, text]] : [];
      }),
    );
    return STATEMENTS.every((name) => found.has(name)) ? found : undefined;
  });
});
afterAll(async () => {
  await service.stop();
  await sink.close();
  await database.drop();
});

/** Of the service. A connection reports what it did at the latest when it ends. */
async function connections(): Promise<number> {
  const [row] = await database.sql`
    select count(*)::int as open from pg_stat_activity where application_name = ${APPLICATION}`;
  return Number(row?.['open']);
}

const sequentialScans = async (): Promise<Map<string, number>> => {
  const rows = await database.sql<{ name: string; scans: number }[]>`
    select relname as name, seq_scan::int as scans from pg_stat_user_tables where relname = any(${TABLES})`;
  return new Map(rows.map(({ name, scans }) => [name, scans]));
};

const planOf = async (text: string): Promise<string> => {
  const rows = await database.sql.unsafe(`explain (generic_plan) ${text}`).simple();
  return rows.map((row) => row['QUERY PLAN']).join('\n');
};
const scanned = (plan: string): string[] =>
  Array.from(plan.matchAll(/Seq Scan on (\w+)/g), ([, table = '']) => table).filter((t) =>
    TABLES.includes(t),
  );

test('the check sees a sequential scan where there is one', async () => {
  expect(scanned(await planOf('select * from grants where audience = $1'))).toEqual(['grants']);
});

test.each(STATEMENTS)('%s reads no table from end to end', async (name) => {
  const plan = await planOf(texts.get(name) ?? '');
  expect(scanned(plan), plan).toEqual([]);
});

test('nor did any of them as the service ran them, with the values that it had', async () => {
  expect(await connections()).toBeGreaterThan(0);
  await service.stop();
  const after = await waitFor(async () =>
    (await connections()) === 0 ? await sequentialScans() : undefined,
  );
  expect(Object.fromEntries(after)).toEqual(Object.fromEntries(before));
});
