import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

test('the connections that are measured are all that the database has of the service, pool by pool', async () => {
  const party = await newParty(service);
  await party.grant();
  const pools = await waitFor(async () => {
    const scrape = await service.scrape();
    const counts = new Map<string, number>();
    for (const labels of scrape.labelSets('db_client_connection_count')) {
      const pool = labels['db_client_connection_pool_name'] ?? '';
      counts.set(pool, (counts.get(pool) ?? 0) + (scrape.value('db_client_connection_count', labels) ?? 0));
    }
    const [row] = await service.database.sql<{ open: number }[]>`
      select count(*)::int as open from pg_stat_activity
      where datname = current_database() and application_name = 'grantex-auth' and pid <> pg_backend_pid()`;
    const measured = [...counts.values()].reduce((sum, count) => sum + count, 0);
    return measured === row?.open ? counts : undefined;
  }, 15_000);
  expect([...pools.keys()].sort()).toEqual(['background', 'main', 'side']);
  expect(pools.get('side')).toBe(1);
});

test('connections are used while their statements wait, and idle afterwards', async () => {
  const party = await newParty(service);
  const agents = await Promise.all(Array.from({ length: 3 }, () => party.newAgent()));
  const state = async () => {
    const scrape = await service.scrape();
    const of = (db_client_connection_state: string) =>
      scrape.value('db_client_connection_count', {
        db_client_connection_pool_name: 'main',
        db_client_connection_state,
      }) ?? 0;
    return { used: of('used'), idle: of('idle') };
  };
  const { renames, waiting } = await service.database.sql.begin(async (tx) => {
    await tx`select from agents where id in ${tx(agents)} for update`;
    const renames = agents.map((id) =>
      service.request('PATCH', `/v1/agents/${id}`, { key: party.key, body: { name: 'N' } }),
    );
    const waiting = await waitFor(async () => {
      const { used, idle } = await state();
      return used === agents.length ? { used, idle } : undefined;
    });
    return { renames, waiting };
  });
  expect(waiting.used).toBe(3);
  for (const { status } of await Promise.all(renames)) expect(status).toBe(200);
  await expect.poll(state).toEqual({ used: 0, idle: waiting.used + waiting.idle });
});

test('nobody waits, every use of a pool is a wait of some time, and no statement was ended', async () => {
  const scrape = await service.scrape();
  const pools = scrape.labelSets('db_client_connection_waiting').map(({ pool }) => pool);
  expect(pools.sort()).toEqual(['background', 'main', 'side']);
  for (const pool of pools)
    expect(scrape.value('db_client_connection_waiting', { pool: pool ?? '' }), pool).toBe(0);
  expect(scrape.value('db_client_connection_wait_seconds_count', { pool: 'main' })).toBeGreaterThan(0);
  const boundaries = scrape
    .labelSets('db_client_connection_wait_seconds_bucket')
    .filter(({ pool }) => pool === 'main')
    .map(({ le }) => le);
  expect(boundaries).toEqual(['0.001', '0.005', '0.01', '0.05', '0.1', '0.25', '0.5', '1', '2', '+Inf']);
  const ends = scrape.labelSets('grantex_statements_ended_total').map(({ by = '' }) => by);
  expect(ends.sort()).toEqual(['cancel', 'idle_in_transaction', 'lock_timeout', 'statement_timeout']);
  for (const by of ends) expect(scrape.value('grantex_statements_ended_total', { by }), by).toBe(0);
});
