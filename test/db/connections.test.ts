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
