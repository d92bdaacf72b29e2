import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTraffic } from '../faults/traffic.ts';
import { npmOutput } from '../support/command.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty } from '../support/flow.ts';
import { expectReconciled, expectReconciledSince, snapshotOf } from '../support/reconcile.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const env = { JWT_ISSUER: 'https://auth.example.com' };
const start = () => startService({ database, env });

/** Ends the service while callers are at work. @returns how many requests had succeeded */
async function stopUnderLoad(service: TestService, name: string): Promise<number> {
  const party = await newParty(service, 'sandbox');
  const traffic = startTraffic({ url: service.url, ...party, callers: 4, name });
  await waitFor(() => traffic.shots.length >= 150 || undefined);
  expect(await service.stop()).toBe(0);
  await traffic.stop();
  return traffic.shots.filter(({ reply }) => reply.status === 201).length;
}

test('three ordered ends under load, which no scrape saw, cost no count', async () => {
  let done = 0;
  for (const name of ['one', 'two', 'three']) done += await stopUnderLoad(await start(), name);
  const last = await start();
  await expectReconciled(last);
  // The same by the command, which finds nothing to explain.
  const told = await npmOutput('reconcile', ['--scrape', `${last.url}/metrics`], {
    DATABASE_URL: database.url,
  });
  expect(told.trimEnd().split('\n').slice(-2)).toEqual(['1 living process, 0 without a last count', 'equal']);
  const [left] = await database.sql`select count(distinct (process, started_at))::int as processes,
      count(*) filter (where family = 'grantex_token_exchange_total')::int as exchanges,
      sum(total) filter (where family = 'grantex_authorize_total')::int as authorizations from process_counts`;
  expect(left).toMatchObject({ processes: 3, exchanges: 3 });
  expect(left?.['authorizations']).toBeGreaterThan(0);
  expect(left?.['authorizations']).toBeLessThanOrEqual(done);

  const since = await snapshotOf(last);
  expect(since.processes).toHaveLength(1);
  await stopUnderLoad(last, 'four');
  const next = await start();
  await expectReconciled(next);
  await expectReconciledSince(since, next);
  expect(await next.stop()).toBe(0);
});
