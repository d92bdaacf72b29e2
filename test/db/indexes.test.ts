import type postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Sink, sentSpans, startSink } from '../instrumentation/child.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';

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
  'authorization.create',
  'consent.by_id',
  'consent.decide',
  'developers.by_key_hash',
  'developers.insert',
  'developers.replace_key',
  'grants.by_id',
  'grants.count_0',
  'grants.count_1',
  'grants.count_2',
  'grants.count_3',
  'grants.count_of_principal',
  'grants.delegate',
  'grants.lock_roots',
  'grants.of_principal',
  'grants.of_token',
  'grants.page_0',
  'grants.page_1',
  'grants.page_2',
  'grants.page_3',
  'grants.remove_of_agent',
  'grants.revoke_trees',
  'grants.tally_removed',
  'policies.by_id',
  'policies.insert',
  'policies.list',
  'policies.remove',
  'policies.update',
  'principal_sessions.developer_name',
  'tokens.exchange_code',
  'tokens.grant_of_used_code',
  'tokens.grant_of_used_refresh_token',
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
];

/** Nothing goes anywhere, but every statement of a delivery runs. */
const HOOK = { url: 'https://hooks.invalid/', events: ['grant.created', 'grant.revoked', 'token.issued'] };

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
  await fill(database.sql, party);
  before = await sequentialScans();
  service = await startService(settings);
  for (let round = 0; round < ROUNDS; round++) await useEveryRoute(party);
  texts = await waitFor(() => {
    const found = new Map(
      sentSpans(sink).flatMap(({ attributes }): [string, string][] => {
        const { 'grantex.statement': name, 'db.query.text': text } = attributes;
        return typeof name === 'string' && typeof text === 'string' ? [[name, text]] : [];
      }),
    );
    return STATEMENTS.every((name) => found.has(name)) ? found : undefined;
  });
}, 60_000);
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

/** Enough rows in every table that reading all of them is never the cheapest; the party has a hundred grants and policies. */
async function fill(sql: postgres.Sql, { developerId, agentId }: Party): Promise<void> {
  const hash = (prefix: string) => sql`sha256(convert_to(${prefix}::text || n, 'UTF8'))`;
  await sql`insert into developers (id, name, mode, api_key_hash, created_at)
    select 'dev_' || n, 'D', 'live', ${hash('key')}, now() from generate_series(1, 5000) n`;
  await sql`insert into agents (id, developer_id, name, description, scopes, status, created_at, updated_at)
    select 'ag_' || n, 'dev_' || (1 + n % 5000), 'A', '', '{}', 'active', now(), now() from generate_series(1, 20000) n`;
  // A tenth is alive, as in a database that has run for a while.
  await sql`insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at,
      root_grant_id, delegation_depth)
    select 'grnt_' || n, 'dev_' || (1 + n % 5000), 'ag_' || n, 'user_' || n % 1000, '{a:b}', 'active',
      now() - n * interval '1 s', now() + (n % 10 - 8.5) * interval '1 day', 'grnt_' || n, 0
    from generate_series(1, 20000) n`;
  await sql`insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at,
      root_grant_id, delegation_depth)
    select 'grnt_p' || n, ${developerId}, ${agentId}, 'user_' || n % 10, '{a:b}', 'active', now(), now() + interval '1 day',
      'grnt_p' || n, 0
    from generate_series(1, 100) n`;
  await sql`update grants set parent_grant_id = 'grnt_' || (substr(id, 6)::int - 1), delegation_depth = 1
    where id like 'grnt\_%7' and id not like 'grnt\_p%'`;
  await sql`insert into tokens (jti, grant_id, kid, expires_at)
    select 'tok_' || n, 'grnt_' || (1 + n % 20000), 'k', now() from generate_series(1, 20000) n`;
  await sql`insert into refresh_tokens (hash, grant_id, agent_id, predecessor, issued_at)
    select ${hash('ref')}, 'grnt_' || (1 + n % 20000), 'ag_' || (1 + n % 20000), ${hash('pre')}, now() from generate_series(1, 20000) n`;
  await sql`insert into webhooks (id, developer_id, url, events, sealed_secret, created_at)
    select 'wh_' || n, 'dev_' || n, 'https://hooks.invalid/', '{grant.created,grant.revoked,token.issued}', '', now()
    from generate_series(1, 5000) n`;
  await sql`insert into webhook_deliveries (id, webhook_id, event_id, event_type, agent_id, data, status, attempts,
      max_attempts, created_at, queued)
    select 'whd_' || n, 'wh_' || (1 + n % 5000), 'evt_' || n, 'token.issued', 'ag_1', '{}', 'delivered', 1, 5,
      now() - interval '30 days 1 hour' + n * interval '1 minute', true
    from generate_series(1, 20000) n`;
  await sql`insert into authorization_requests (id, developer_id, agent_id, principal_id, scopes, grant_seconds, status,
      created_at, expires_at, code_hash)
    select 'areq_' || n, 'dev_' || (1 + n % 5000), 'ag_' || n, 'user', '{a:b}', 60, 'approved', now(), now(),
      ${hash('code')}
    from generate_series(1, 20000) n`;
  await sql`insert into policies (id, developer_id, name, effect, priority, agent_id, principal_id, created_at, updated_at)
    select 'pol_' || n, 'dev_' || (1 + n % 5000), 'P', 'deny', n % 3, case when n % 2 = 0 then 'ag_' || n end, 'user', now(),
      now()
    from generate_series(1, 20000) n`;
  await sql`insert into policies (id, developer_id, name, effect, priority, principal_id, created_at, updated_at)
    select 'pol_p' || n, ${developerId}, 'P', 'deny', n % 3, 'nobody', now(), now() from generate_series(1, 100) n`;
  await sql`insert into audit_entries (id, developer_id, agent_id, agent_did, grant_id, principal_id, action, status, metadata,
      created_at, hash, prev_hash)
    select 'alog_' || n, 'dev_' || (1 + n % 5000), 'ag_' || n, 'did', 'grnt_' || n, 'user_' || n % 1000, 'a', 'success', '{}',
      now(), 'h' || n, 'h' || n - 1
    from generate_series(1, 20000) n`;
  await sql`insert into audit_entries (id, developer_id, agent_id, agent_did, grant_id, principal_id, action, status, metadata,
      created_at, hash, prev_hash)
    select 'alog_p' || n, ${developerId}, ${agentId}, 'did', 'grnt_p' || n, 'user_' || n % 10, 'a', 'success', '{}', now(),
      'p' || n, 'p' || n - 1
    from generate_series(1, 100) n`;
  await sql`insert into anomalies (id, developer_id, type, severity, agent_id, principal_id, description, metadata, detected_at,
      seen_at, acknowledged_at)
    select 'anm_' || n, 'dev_' || (1 + n % 5000), 'new_principal', 'low', 'ag_' || n, 'user', '', '{}', now(), now(),
      case when n % 10 > 0 then now() end
    from generate_series(1, 20000) n`;
  await sql`vacuum analyze`;
}

/** Calls every route whose statements are to be judged, against the filled tables. */
async function useEveryRoute(party: Party): Promise<void> {
  const { key, agentId } = party;
  const call = async (status: number, method: string, path: string, body?: unknown, as = key) => {
    const answer = await service.request(method, path, { key: as, body });
    if (answer.status !== status)
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const { anomalies } = await call(200, 'POST', '/v1/anomalies/detect');
  await call(200, 'PATCH', `/v1/anomalies/${anomalies[0].id}/acknowledge`);
  for (const unacknowledged of [true, false])
    await call(200, 'GET', `/v1/anomalies?unacknowledged=${unacknowledged}`);
  const { authRequestId } = await party.authorize();
  await call(200, 'GET', `/v1/consent/${authRequestId}`);
  await call(200, 'POST', `/v1/consent/${authRequestId}/deny`);
  const code = await party.consent();
  const pair = await party.exchange(code);
  const { jti } = JSON.parse(Buffer.from(pair.grantToken.split('.')[1] ?? '', 'base64url').toString());
  await party.delegate(pair.grantToken);
  await party.verify(pair.grantToken);
  await call(200, 'POST', '/v1/grants/verify', { token: pair.grantToken });
  await call(201, 'POST', '/v1/token/refresh', { refreshToken: pair.refreshToken, agentId });
  await call(200, 'GET', `/v1/revocations/status?grantId=${pair.grantId}`);
  await call(200, 'GET', `/v1/revocations/status?jti=${jti}`);
  await call(204, 'POST', '/v1/tokens/revoke', { jti });
  await call(400, 'POST', '/v1/token/refresh', { refreshToken: pair.refreshToken, agentId });
  await call(400, 'POST', '/v1/token', { code, agentId });
  await call(200, 'GET', `/v1/grants/${pair.grantId}`);
  await call(404, 'DELETE', `/v1/grants/${pair.grantId}`);
  for (const query of [
    '',
    `agentId=${agentId}`,
    'principalId=user_1',
    `agentId=${agentId}&principalId=user_1`,
  ])
    await call(200, 'GET', `/v1/grants?${query}`);
  await call(200, 'GET', '/v1/grants?status=active&page=2');
  const other = await party.newAgent();
  for (const query of ['', `agentId=${agentId}`, `grantId=${pair.grantId}`, 'principalId=user_1'])
    await call(200, 'GET', `/v1/audit/entries?${query}`);
  const { sessionToken } = await call(201, 'POST', '/v1/principal-sessions', { principalId: 'user_1' });
  const toRevoke = await party.grant();
  await call(200, 'GET', '/v1/principal/grants', undefined, sessionToken);
  await call(200, 'GET', '/v1/principal/audit', undefined, sessionToken);
  await call(204, 'DELETE', `/v1/principal/grants/${toRevoke.grantId}`, undefined, sessionToken);
  const policy = await call(201, 'POST', '/v1/policies', { name: 'P', effect: 'deny', agentId: other });
  await call(200, 'GET', '/v1/policies');
  await call(200, 'GET', `/v1/policies/${policy.id}`);
  await call(200, 'PATCH', `/v1/policies/${policy.id}`, { effect: 'allow', agentId: other });
  await call(204, 'DELETE', `/v1/policies/${policy.id}`);
  await call(200, 'GET', '/v1/agents');
  await call(200, 'GET', `/v1/agents/${other}`);
  await call(200, 'PATCH', `/v1/agents/${other}`, { name: 'B' });
  await party.grant({ agentId: other });
  await call(204, 'DELETE', `/v1/agents/${other}`);
  await call(201, 'POST', '/v1/webhooks', HOOK);
  const { body: hook } = await service.request('POST', '/v1/webhooks', { key, body: HOOK });
  await call(200, 'GET', '/v1/webhooks');
  await party.grant();
  await call(200, 'GET', `/v1/webhooks/${hook.id}/deliveries`);
  await call(200, 'GET', `/v1/webhooks/${hook.id}/deliveries?status=pending`);
  await call(204, 'DELETE', `/v1/webhooks/${hook.id}`);
  const { apiKey } = await service.signup();
  await call(200, 'POST', '/v1/keys/rotate', undefined, apiKey);
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
