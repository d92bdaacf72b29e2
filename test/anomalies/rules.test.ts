import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Finding } from '../../src/anomalies/finding.ts';
import { findAnomalies, type Target } from '../../src/anomalies/rules-store.ts';
import { tallyFailedExchanges } from '../../src/anomalies/store.ts';
import { type Config, loadConfig } from '../../src/config.ts';
import { type Database, openDatabase } from '../../src/db/client.ts';
import { reachableUrl } from '../../src/db/pooler.ts';
import { sha256 } from '../../src/hash.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Half past noon: 24 hours before it hold one whole night. */
const NOW = Date.parse('2026-03-10T12:30:00Z');
const CONFIG = loadConfig({});

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  db = openDatabase({
    url: await reachableUrl(database.url),
    poolMax: 2,
    telemetry: { statement: (_statement, _links, run) => run(), observePool: () => () => undefined },
    onConnectionError: () => undefined,
  });
  const { sql } = database;
  await sql`insert into developers (id, name, mode, api_key_hash, created_at)
    values ('dev_1', 'D', 'live', ${sha256('1')}, now()), ('dev_2', 'D', 'live', ${sha256('2')}, now())`;
  await sql`insert into agents (id, developer_id, name, description, scopes, status, created_at, updated_at)
    values ('ag_1', 'dev_1', 'A', '', '{}', 'active', now(), now()),
      ('ag_2', 'dev_2', 'A', '', '{}', 'active', now(), now())`;
});
afterAll(async () => {
  await db.close(1000);
  await database.drop();
});
beforeEach(async () => {
  await database.sql`truncate grants, refresh_tokens, tokens, authorization_requests, audit_entries, failed_exchanges,
    anomalies`;
});

interface Asked {
  readonly target?: Target;
  readonly config?: Partial<Config>;
  readonly at?: number;
}
/** What is found of one type; single facts are looked at from an hour ago on. */
async function found(type: Finding['type'], { target = null, config = {}, at = NOW }: Asked = {}) {
  const span = { now: new Date(at), since: new Date(at - HOUR) };
  return (await findAnomalies(db, { ...CONFIG, ...config }, target, span)).filter((one) => one.type === type);
}

let made = 0;
interface GrantFields {
  readonly agent?: string;
  readonly principal?: string;
  readonly scopes?: readonly string[];
  readonly depth?: number;
}
async function grantAt(at: number, fields: GrantFields = {}): Promise<string> {
  const { agent = 'ag_1', principal = 'user_1', scopes = ['a'], depth = 0 } = fields;
  const id = `grnt_${made++}`;
  const developer = agent === 'ag_1' ? 'dev_1' : 'dev_2';
  await database.sql`insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at,
      root_grant_id, delegation_depth)
    values (${id}, ${developer}, ${agent}, ${principal}, ${[...scopes]}, 'active', ${new Date(at)},
      ${new Date(at + 48 * HOUR)}, ${id}, ${depth})`;
  return id;
}
/** So many tokens of one grant, all at one time. */
async function tokensAt(at: number, count: number, agent = 'ag_1'): Promise<void> {
  const grant = await grantAt(NOW - 1000 * HOUR, { agent });
  await database.sql`insert into refresh_tokens (hash, grant_id, agent_id, issued_at)
    select sha256(convert_to(${grant} || n, 'UTF8')), ${grant}, ${agent}, ${new Date(at)} from generate_series(1, ${count}) n`;
}
async function requestAt(at: number, scopes: readonly string[], fields: { exchanged?: boolean } = {}) {
  await database.sql`insert into authorization_requests (id, developer_id, agent_id, principal_id, scopes, grant_seconds,
      status, created_at, expires_at, exchanged_at)
    values (${`areq_${made++}`}, 'dev_1', 'ag_1', 'user_1', ${[...scopes]}, 60, 'approved', ${new Date(at)},
      ${new Date(at + 10 * MINUTE)}, ${fields.exchanged ? new Date(at) : null})`;
}
async function entriesAt(at: number, statuses: readonly string[]) {
  for (const status of statuses) {
    const id = made++;
    await database.sql`insert into audit_entries (id, developer_id, agent_id, agent_did, grant_id, principal_id, action,
        status, metadata, created_at, hash, prev_hash)
      values (${`alog_${id}`}, 'dev_1', 'ag_1', 'did', 'g', 'u', 'act', ${status}, '{}', ${new Date(at)}, ${`h${id}`},
        ${`h${id - 1}`})`;
  }
}
const times = (count: number, status: string) => Array<string>(count).fill(status);
const who = { developerId: 'dev_1', agentId: 'ag_1' };

describe('rate_spike', () => {
  const EARLIER = NOW - 2 * HOUR;
  test.each([
    { recent: 50, earlier: 0, spike: false },
    { recent: 51, earlier: 0, spike: true },
    // 24 hours before with 144 tokens: 6 an hour are usual, 60 are ten times as many.
    { recent: 60, earlier: 144, spike: false },
    { recent: 61, earlier: 144, spike: true },
  ])('$recent in the last hour after $earlier in the day before: $spike', async (row) => {
    await tokensAt(NOW - HOUR + 1, row.recent);
    if (row.earlier > 0) await tokensAt(EARLIER, row.earlier);
    expect(await found('rate_spike')).toEqual(
      row.spike
        ? [
            {
              ...who,
              type: 'rate_spike',
              principalId: null,
              at: new Date(NOW - HOUR + 1),
              metadata: { issued: row.recent, baseline: row.earlier / 24, windowMinutes: 60 },
            },
          ]
        : [],
    );
  });

  test('a token of exactly an hour ago is not of the last hour, nor one of the future', async () => {
    await tokensAt(NOW - HOUR, 51);
    await tokensAt(NOW + 1, 51);
    expect(await found('rate_spike')).toEqual([]);
  });

  test('what is more than a day and the window ago is not usual any more', async () => {
    await tokensAt(NOW, 51);
    await tokensAt(NOW - 25 * HOUR, 1000);
    expect(await found('rate_spike')).toHaveLength(1);
  });

  test('thresholds are settings', async () => {
    await tokensAt(NOW - 5 * MINUTE, 4);
    const config = { anomalyRateOver: 3, anomalyRateWindowMinutes: 6 };
    expect(await found('rate_spike', { config })).toHaveLength(1);
    expect(await found('rate_spike', { config: { ...config, anomalyRateWindowMinutes: 5 } })).toEqual([]);
    expect(await found('rate_spike', { config: { ...config, anomalyRateOver: 4 } })).toEqual([]);
  });
});

describe('high_failure_rate', () => {
  test.each([
    { what: 'four entries, all failed', good: 0, bad: 4, high: false },
    { what: 'five entries, one failed: 20 %', good: 4, bad: 1, high: false },
    { what: 'five entries, two failed', good: 3, bad: 2, high: true },
    { what: '24 entries, five failed: 20.8 %', good: 19, bad: 5, high: true },
  ])('$what: $high', async ({ good, bad, high }) => {
    await entriesAt(NOW - HOUR, times(good, 'success'));
    await entriesAt(NOW - 23 * HOUR, [
      ...times(bad - Math.floor(bad / 2), 'failure'),
      ...times(Math.floor(bad / 2), 'blocked'),
    ]);
    expect(await found('high_failure_rate')).toEqual(
      high
        ? [
            {
              ...who,
              type: 'high_failure_rate',
              principalId: null,
              at: new Date(NOW - 23 * HOUR),
              metadata: { failed: bad, total: good + bad, windowHours: 24 },
            },
          ]
        : [],
    );
  });

  test('exchanges count with the entries, the good and the refused ones', async () => {
    await entriesAt(NOW - HOUR, times(1, 'success'));
    for (let n = 0; n < 3; n++) await requestAt(NOW - 2 * HOUR, ['a'], { exchanged: true });
    await requestAt(NOW - 2 * HOUR, ['a']);
    await tallyFailedExchanges(db, [{ agentId: 'ag_1', total: 1, at: new Date(NOW - 3 * HOUR) }]);
    expect(await found('high_failure_rate')).toEqual([]);
    await tallyFailedExchanges(db, [{ agentId: 'ag_1', total: 1, at: new Date(NOW - 3 * HOUR + 1000) }]);
    expect(await found('high_failure_rate')).toMatchObject([
      { at: new Date(NOW - 3 * HOUR + 1000), metadata: { failed: 2, total: 6 } },
    ]);
  });

  test('what is a day old does not count', async () => {
    await entriesAt(NOW - 24 * HOUR, times(10, 'failure'));
    await tallyFailedExchanges(db, [{ agentId: 'ag_1', total: 9, at: new Date(NOW - 24 * HOUR) }]);
    expect(await found('high_failure_rate')).toEqual([]);
  });
});

describe('new_principal', () => {
  test('the first grant for a principal, and no later one', async () => {
    const id = await grantAt(NOW - 10 * MINUTE, { principal: 'user_9' });
    await grantAt(NOW - 5 * MINUTE, { principal: 'user_9' });
    expect(await found('new_principal')).toEqual([
      {
        ...who,
        type: 'new_principal',
        principalId: 'user_9',
        at: new Date(NOW - 10 * MINUTE),
        metadata: { grantId: id },
      },
    ]);
  });

  test('a principal that was served before is not new; one that another agent served is', async () => {
    await grantAt(NOW - 500 * HOUR, { principal: 'user_9' });
    await grantAt(NOW - MINUTE, { principal: 'user_9' });
    expect(await found('new_principal')).toEqual([]);
    await grantAt(NOW - MINUTE, { principal: 'user_9', agent: 'ag_2' });
    expect(await found('new_principal')).toMatchObject([{ agentId: 'ag_2', developerId: 'dev_2' }]);
  });

  test('a fact from before the time that is looked at is left alone', async () => {
    await grantAt(NOW - HOUR, { principal: 'user_9' });
    expect(await found('new_principal')).toEqual([]);
  });
});

describe('off_hours_activity', () => {
  const NIGHT = Date.parse('2026-03-10T02:00:00Z');
  test.each([
    { count: 10, odd: false },
    { count: 11, odd: true },
  ])('$count tokens in one night: $odd', async ({ count, odd }) => {
    await tokensAt(NIGHT, count);
    await tokensAt(NOW - HOUR, 30);
    expect(await found('off_hours_activity')).toEqual(
      odd
        ? [
            {
              ...who,
              type: 'off_hours_activity',
              principalId: null,
              at: new Date(NIGHT),
              metadata: { issued: count, start: '22:00', end: '06:00' },
            },
          ]
        : [],
    );
  });

  test.each([
    ['2026-03-09T21:59:59.999Z', false],
    ['2026-03-09T22:00:00Z', true],
    ['2026-03-10T05:59:59.999Z', true],
    ['2026-03-10T06:00:00Z', false],
    // A night, but more than a day ago.
    ['2026-03-09T02:00:00Z', false],
  ])('at %s: %s', async (at, odd) => {
    await tokensAt(Date.parse(at), 11);
    expect(await found('off_hours_activity')).toHaveLength(odd ? 1 : 0);
  });

  test('hours that do not cross midnight', async () => {
    await tokensAt(NOW - HOUR, 11);
    const config = { anomalyOffHoursStart: '11:00', anomalyOffHoursEnd: '12:00' };
    expect(await found('off_hours_activity', { config })).toHaveLength(1);
    expect(
      await found('off_hours_activity', { config: { ...config, anomalyOffHoursStart: '11:31' } }),
    ).toEqual([]);
  });
});

describe('unusual_scope_access', () => {
  test('a scope that the agent never had, once it has a history', async () => {
    await requestAt(NOW - MINUTE, ['a', 'b', 'c']);
    expect(await found('unusual_scope_access')).toEqual([]);
    await grantAt(NOW - 100 * HOUR, { scopes: ['a'] });
    expect(await found('unusual_scope_access')).toEqual([
      {
        ...who,
        type: 'unusual_scope_access',
        principalId: 'user_1',
        at: new Date(NOW - MINUTE),
        metadata: { count: 2, scopes: ['b', 'c'] },
      },
    ]);
  });

  test('a scope that was had before is usual, however long ago and however many grants since', async () => {
    await grantAt(NOW - 900 * HOUR, { scopes: ['b'] });
    await database.sql`insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at,
        root_grant_id, delegation_depth)
      select 'grnt_many_' || n, 'dev_1', 'ag_1', 'user_1', '{a}', 'active', ${new Date(NOW - 5 * HOUR)}::timestamptz, now(),
        'grnt_many_' || n, 0 from generate_series(1, 1500) n`;
    await requestAt(NOW - MINUTE, ['a', 'b']);
    expect(await found('unusual_scope_access')).toEqual([]);
  });

  test('of many scopes twenty are told, and of many requests the newest are looked at', async () => {
    await grantAt(NOW - 100 * HOUR, { scopes: ['a'] });
    const scopes = Array.from({ length: 30 }, (_, n) => `s${String(n).padStart(2, '0')}`);
    await requestAt(NOW - 2 * MINUTE, scopes);
    expect(await found('unusual_scope_access')).toMatchObject([
      { metadata: { count: 30, scopes: scopes.slice(0, 20) } },
    ]);
    await database.sql`insert into authorization_requests (id, developer_id, agent_id, principal_id, scopes, grant_seconds,
        status, created_at, expires_at)
      select 'areq_many_' || n, 'dev_1', 'ag_1', 'user_1', '{a}', 60, 'pending', ${new Date(NOW - MINUTE)}::timestamptz, now()
      from generate_series(1, 1000) n`;
    expect(await found('unusual_scope_access')).toEqual([]);
  });

  test('being granted what was asked for makes it usual from then on, not before', async () => {
    await grantAt(NOW - 100 * HOUR, { scopes: ['a'] });
    await requestAt(NOW - 5 * MINUTE, ['b']);
    await grantAt(NOW - 4 * MINUTE, { scopes: ['b'] });
    await requestAt(NOW - 3 * MINUTE, ['b']);
    expect(await found('unusual_scope_access')).toMatchObject([{ at: new Date(NOW - 5 * MINUTE) }]);
  });
});

describe('cascade_delegation', () => {
  test.each([
    { depth: 1, maxDelegationDepth: 3, near: false },
    { depth: 2, maxDelegationDepth: 3, near: true },
    { depth: 3, maxDelegationDepth: 3, near: true },
    { depth: 2, maxDelegationDepth: 10, near: false },
    { depth: 0, maxDelegationDepth: 1, near: false },
    { depth: 1, maxDelegationDepth: 1, near: true },
  ])('$depth levels deep where $maxDelegationDepth are allowed: $near', async (row) => {
    const id = await grantAt(NOW - MINUTE, { depth: row.depth });
    const { maxDelegationDepth } = row;
    expect(await found('cascade_delegation', { config: { maxDelegationDepth } })).toEqual(
      row.near
        ? [
            {
              ...who,
              type: 'cascade_delegation',
              principalId: 'user_1',
              at: new Date(NOW - MINUTE),
              metadata: { depth: row.depth, maxDepth: maxDelegationDepth, grantId: id },
            },
          ]
        : [],
    );
  });
});

test('what was acknowledged does not add up to another anomaly with what came later', async () => {
  const acknowledged = NOW - 10 * MINUTE;
  const night = { anomalyOffHoursStart: '00:00', anomalyOffHoursEnd: '00:00' };
  for (const type of ['rate_spike', 'high_failure_rate', 'off_hours_activity'])
    await database.sql`insert into anomalies (id, developer_id, type, severity, agent_id, description, metadata, detected_at,
        seen_at, acknowledged_at)
      values (${`anm_${type}`}, 'dev_1', ${type}, 'high', 'ag_1', '', '{}', now(), now(), ${new Date(acknowledged)})`;
  const all = async () => [
    ...(await found('rate_spike')),
    ...(await found('high_failure_rate')),
    ...(await found('off_hours_activity', { config: night })),
  ];
  await tokensAt(acknowledged, 100);
  await tokensAt(NOW - MINUTE, 10);
  await entriesAt(acknowledged, times(10, 'failure'));
  await tallyFailedExchanges(db, [{ agentId: 'ag_1', total: 10, at: new Date(acknowledged) }]);
  await entriesAt(NOW - MINUTE, times(4, 'failure'));
  expect(await all()).toEqual([]);
  await tokensAt(NOW - MINUTE, 41);
  await entriesAt(NOW - MINUTE, times(1, 'failure'));
  expect((await all()).map(({ type, metadata }) => [type, metadata['issued'] ?? metadata['total']])).toEqual([
    ['rate_spike', 51],
    ['high_failure_rate', 5],
    ['off_hours_activity', 51],
  ]);
});

test('a developer with a thousand findings crowds nobody else out', async () => {
  await grantAt(NOW - 30 * MINUTE, { agent: 'ag_2', principal: 'user_9' });
  await database.sql`insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at,
      root_grant_id, delegation_depth)
    select 'grnt_crowd_' || n, 'dev_1', 'ag_1', 'user_' || n, '{a}', 'active', ${new Date(NOW - MINUTE)}::timestamptz, now(),
      'grnt_crowd_' || n, 0 from generate_series(1, 1100) n`;
  const byDeveloper = Map.groupBy(await found('new_principal'), ({ developerId }) => developerId);
  expect([byDeveloper.get('dev_1')?.length, byDeveloper.get('dev_2')?.length]).toEqual([1000, 1]);
});

test('only what was asked about is looked at', async () => {
  for (const agent of ['ag_1', 'ag_2']) await grantAt(NOW - MINUTE, { agent, principal: 'user_9' });
  const agentsOf = async (target: Target) =>
    (await found('new_principal', { target })).map(({ agentId }) => agentId).sort();
  expect(await agentsOf(null)).toEqual(['ag_1', 'ag_2']);
  expect(await agentsOf({ agents: ['ag_1', 'ag_unknown'] })).toEqual(['ag_1']);
  expect(await agentsOf({ developers: ['dev_2'] })).toEqual(['ag_2']);
  expect(await agentsOf({ developers: [] })).toEqual([]);
});
