import { once } from 'node:events';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { systemIds } from '../../src/ids.ts';
import { removeEnded } from '../../src/retention/remove-ended.ts';
import { createRetention } from '../../src/retention/retention.ts';
import { giveRetentionTurnBack, takeRetentionTurn } from '../../src/retention/state-store.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty, type Party } from '../support/flow.ts';
import { ledgerOf } from '../support/ledger.ts';
import { expectReconciled } from '../support/reconcile.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';
import { age } from './age.ts';
import { openRemover } from './remover.ts';

const DAY = 24;
const SHORT = { RETENTION_DAYS: '30', GRANT_RETENTION_DAYS: '30' };
let database: TestDatabase;
let service: TestService;
let party: Party;
beforeEach(async () => {
  database = await createTestDatabase();
  // The services leave everything to the test.
  await database.sql`update retention_turn set holder = 'test', held_until = 'infinity'`;
  service = await startService({ database });
  party = await newParty(service);
});
afterEach(async () => {
  await service.stop();
  await database.drop();
});

const call = (method: string, path: string, body?: unknown) =>
  service.request(method, path, { key: party.key, body });

/** Rows as a year of use leaves them behind: grants that expired 31 to 36 days ago, with two refreshes each. */
async function fill(count: number, { agentId, developerId }: Party): Promise<void> {
  const { sql } = database;
  await sql`insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at,
      root_grant_id, delegation_depth)
    select 'grnt_' || n, ${developerId}, ${agentId}, 'user_' || n % 100, '{a:b}', 'active', now() - interval '40 days',
      now() - interval '31 days' - n % 5 * interval '1 day', 'grnt_' || n, 0 from generate_series(1, ${count}::int) n`;
  await sql`insert into tokens (jti, grant_id, kid, expires_at)
    select 'tok_' || n || '_' || t, 'grnt_' || n, 'k', now() - interval '31 days'
    from generate_series(1, ${count}::int) n, generate_series(1, 3) t`;
  await sql`insert into refresh_tokens (hash, grant_id, agent_id, predecessor, issued_at, used_at)
    select sha256(convert_to(n || '_' || t, 'UTF8')), 'grnt_' || n, ${agentId},
      case when t > 1 then sha256(convert_to(n || '_' || t - 1, 'UTF8')) end, now() - interval '41 days' + t * interval '1 day',
      case when t < 3 then now() - interval '40 days' + t * interval '1 day' end
    from generate_series(1, ${count}::int) n, generate_series(1, 3) t`;
  await sql`insert into authorization_requests (id, developer_id, agent_id, principal_id, scopes, grant_seconds, status,
      created_at, expires_at, code_hash, code_expires_at, exchanged_at, grant_id)
    select 'areq_' || n, ${developerId}, ${agentId}, 'user', '{a:b}', 60, 'approved', now() - interval '40 days',
      now() - interval '40 days', sha256(convert_to('code' || n, 'UTF8')), now() - interval '40 days',
      now() - interval '40 days', 'grnt_' || n
    from generate_series(1, ${count}::int) n`;
}
/** All that were ever made, by rows and tallies. */
async function everything() {
  const [all] = await database.sql`
    select (select count(*) from grants)::int + coalesce(sum(total) filter (where counted = 'consented'), 0)::int as consented,
      (select count(*) from authorization_requests)::int + coalesce(sum(total) filter (where counted = 'requested'), 0)::int
        as requested,
      (select coalesce(sum(1 + repeats), 0) from refresh_tokens where predecessor is not null)::int
        + coalesce(sum(total) filter (where counted = 'refreshed'), 0)::int as refreshed
    from retention_tallies`;
  return { ...all };
}
const left = async () => {
  const [rows] = await database.sql`select (select count(*) from grants)::int + (select count(*) from tokens)
    + (select count(*) from refresh_tokens) + (select count(*) from authorization_requests) as rows`;
  return Number(rows?.['rows']);
};

test('beside exchanges, refreshes, replays and revocations: each ends as if it were alone, and counters stay exact', async () => {
  const grants = await Promise.all(
    Array.from({ length: 30 }, (_, n) => party.grant({ principalId: `user_${n}` })),
  );
  const long = await Promise.all(Array.from({ length: 10 }, () => party.grant({ expiresIn: '90d' })));
  const root = await party.grant({ expiresIn: '90d' });
  for (let n = 0; n < 5; n++) await party.delegate(root.grantToken, { expiresIn: '90d' });
  await age(database.sql, 31.5 * DAY);
  const codes = await Promise.all(Array.from({ length: 10 }, () => party.consent()));

  const remover = await openRemover(database, SHORT);
  onTestFinished(() => remover.close());
  let working = true;
  const removing = (async () => {
    do await remover.run();
    while (working);
  })();
  /** Few at once: a burst would be answered with 503 on a busy machine. */
  const statuses = async (calls: (() => Promise<{ status: number }>)[]) => {
    const found: number[] = [];
    for (const one of calls) found.push((await one()).status);
    return found;
  };
  const refreshing = (of: { refreshToken: string }[]) =>
    statuses(
      of.map(
        ({ refreshToken }) =>
          () =>
            call('POST', '/v1/token/refresh', { refreshToken, agentId: party.agentId }),
      ),
    );
  const [revoked, expired, refreshed, exchanged, tree] = await Promise.all([
    statuses(
      grants.map(
        ({ grantId }) =>
          () =>
            call('DELETE', `/v1/grants/${grantId}`),
      ),
    ),
    refreshing(grants),
    refreshing(long),
    statuses(codes.map((code) => () => call('POST', '/v1/token', { code, agentId: party.agentId }))),
    statuses([() => call('DELETE', `/v1/grants/${root.grantId}`)]),
  ]);
  // Again, which is a replay now, of grants that are alive.
  const replayed = await refreshing(long);
  working = false;
  await removing;
  // One that had expired is revoked, or has gone already.
  expect(revoked.filter((status) => status !== 204 && status !== 404)).toEqual([]);
  expect(expired).toEqual(grants.map(() => 400));
  expect(refreshed).toEqual(long.map(() => 201));
  expect(exchanged).toEqual(codes.map(() => 201));
  expect(tree).toEqual([204]);
  expect(replayed).toEqual(long.map(() => 400));
  await remover.run();
  const count = revoked.filter((status) => status === 204).length + 6 + long.length;
  expect(await ledgerOf(database)).toMatchObject({ created: 30 + 10 + 6 + 10, revoked: count });
  expect((await remover.counted())['grants']).toBe(30);
  await expectReconciled(service);
});

test('beside the deletion of its agent nothing is counted twice, and nothing is lost', async () => {
  const rounds = 12;
  const agents = await Promise.all(Array.from({ length: rounds }, () => party.newAgent()));
  for (const agentId of agents) {
    const { refreshToken } = await party.grant({ agentId, expiresIn: '1h' });
    await call('POST', '/v1/token/refresh', { refreshToken, agentId });
  }
  await age(database.sql, 31 * DAY);
  const remover = await openRemover(database, SHORT);
  onTestFinished(() => remover.close());
  const [, ...deleted] = await Promise.all([
    remover.run(),
    ...agents.map((id) => call('DELETE', `/v1/agents/${id}`)),
  ]);
  expect(deleted.map(({ status }) => status)).toEqual(agents.map(() => 204));
  await expectReconciled(service);
});

test('two at once remove each row once', async () => {
  await fill(2000, party);
  const before = await everything();
  const removers = await Promise.all([openRemover(database, SHORT), openRemover(database, SHORT)]);
  onTestFinished(async () => void (await Promise.all(removers.map((remover) => remover.close()))));
  await Promise.all(removers.map((remover) => remover.run()));
  // What one of them had locked, the other one passed over.
  await removers[0]?.run();
  expect(await left()).toBe(0);
  expect(await everything()).toEqual(before);
  const sums = await Promise.all(removers.map((remover) => remover.counted()));
  const total = (table: string) => sums.reduce((sum, of) => sum + (of[table] ?? 0), 0);
  expect(['grants', 'tokens', 'refresh_tokens', 'authorization_requests'].map(total)).toEqual([
    2000, 6000, 6000, 2000,
  ]);
});

test('of two replicas one works at a time', async () => {
  await fill(1500, party);
  await service.stop();
  await database.sql`update retention_turn set held_until = now()`;
  const remover = await openRemover(database, SHORT);
  onTestFinished(() => remover.close());
  const { config, db, harness } = remover;
  const deps = { config, db, clock: { now: () => Date.now() }, telemetry: harness.telemetry, ids: systemIds };
  const replicas = [createRetention(deps), createRetention(deps)] as const;
  for (const replica of replicas) replica.start();
  const holders = new Set<string>();
  await waitFor(async () => {
    const [turn] = await database.sql`select holder from retention_turn where held_until > now()`;
    if (turn) holders.add(String(turn['holder']));
    return (await left()) === 0 || undefined;
  });
  expect(holders.size).toBe(1);
  for (const replica of replicas) await replica.stop(5000);
  expect(await remover.counted()).toEqual({
    grants: 1500,
    tokens: 4500,
    refresh_tokens: 4500,
    authorization_requests: 1500,
  });
});

test('one holder has the turn until it is given back or has lapsed', async () => {
  const { sql } = database;
  const remover = await openRemover(database);
  onTestFinished(() => remover.close());
  const take = (holder: string) => takeRetentionTurn(remover.db, holder, 60);
  await service.stop();
  await sql`update retention_turn set held_until = now()`;
  const first = await Promise.all(['a', 'b', 'c'].map(take));
  expect(first.filter(Boolean)).toHaveLength(1);
  const holder = ['a', 'b', 'c'][first.indexOf(true)] ?? '';
  expect(await take(holder)).toBe(true);
  expect(await take('d')).toBe(false);
  await giveRetentionTurnBack(remover.db, 'd');
  expect(await take('d')).toBe(false);
  await giveRetentionTurnBack(remover.db, holder);
  expect(await take('d')).toBe(true);
  // As after a kill: nobody gives it back.
  await sql`update retention_turn set held_until = now() - interval '1 second'`;
  expect(await take('e')).toBe(true);
});

test('killed in the middle: what is gone is tallied, the rest goes later', async () => {
  await fill(3000, party);
  const before = await everything();
  const rows = await left();
  await service.stop();
  await database.sql`update retention_turn set held_until = now()`;
  const killed = await startService({ database, env: SHORT });
  onTestFinished(() => void killed.process.kill('SIGKILL'));
  await waitFor(async () => (await left()) < rows - 1000 || undefined);
  const gone = once(killed.process, 'exit');
  killed.process.kill('SIGKILL');
  await gone;
  // Its last statement may still be under way on the server.
  await waitFor(async () => {
    const [busy] = await database.sql`select count(*)::int as statements from pg_stat_activity
      where datname = current_database() and query ilike '%retention%' and state = 'active' and pid <> pg_backend_pid()`;
    return busy?.['statements'] === 0 || undefined;
  });
  expect(await left()).toBeGreaterThan(0);
  expect(await everything()).toEqual(before);
  const remover = await openRemover(database, SHORT);
  onTestFinished(() => remover.close());
  await remover.run();
  expect(await left()).toBe(0);
  expect(await everything()).toEqual(before);
});

test('a step that fails is told, and stops no other', async () => {
  await fill(20, party);
  await database.sql.unsafe(`create function refuse() returns trigger language plpgsql as
    $$ begin raise exception 'no'; end $$;
    create trigger refuse before delete on tokens for each row execute function refuse()`);
  const remover = await openRemover(database, SHORT);
  onTestFinished(() => remover.close());
  const { config, db, harness } = remover;
  const deps = { config, db, clock: { now: () => Date.now() }, telemetry: harness.telemetry };
  await removeEnded(deps, async () => true);
  expect(await remover.counted()).toEqual({ authorization_requests: 20, refresh_tokens: 40 });
  expect(harness.lines().map(({ msg, step }) => [msg, step])).toEqual([
    ['retention.failed', 'tokens'],
    ['retention.failed', 'tokens_of_grants'],
    ['retention.failed', 'grants'],
  ]);
});
