import { expect, test } from 'vitest';
import { printTable } from '../load/table.ts';
import { newParty } from '../support/flow.ts';
import { expectReconciled } from '../support/reconcile.ts';
import { type TestService, waitFor } from '../support/service.ts';
import { Client } from './client.ts';
import { startOwnService } from './own-service.ts';
import { isGood, type Shot, startTraffic } from './traffic.ts';

const BURST = 1_100;
const MAIN = { pool: 'main' };

test('one developer writes 1,100 audit entries at once: another is served as before, and what is refused is not stored', async () => {
  const service = await startOwnService({ env: { DATABASE_POOL_MAX: '10' } });
  const { sql } = service.database;
  const [greedy, other] = [await newParty(service, 'sandbox'), await newParty(service, 'sandbox')];
  const { grantId } = await greedy.grant();
  const alone = startTraffic({ url: service.url, ...other, callers: 2, name: 'alone' });
  await waitFor(() => alone.shots.length >= 40 || undefined);
  await alone.stop();
  const before = await waits(service);

  const beside = startTraffic({ url: service.url, ...other, callers: 2, name: 'beside' });
  const body = (index: number) => ({ agentId: greedy.agentId, grantId, action: `entry ${index}` });
  const burst = Array.from({ length: BURST }, async (_, index) => {
    const client = new Client(service.url);
    const reply = await client.send({
      method: 'POST',
      path: '/v1/audit/log',
      key: greedy.key,
      body: body(index),
    });
    client.close();
    return reply;
  });
  const replies = await Promise.all(burst);
  await beside.stop();

  const status = (wanted: number) => replies.filter((reply) => reply.status === wanted).length;
  printTable('a burst of audit entries', [
    {
      201: status(201),
      503: status(503),
      'slowest ms': Math.round(Math.max(...replies.map(({ ms }) => ms))),
      'others, all good': beside.shots.length,
      'median ms alone': median(alone.shots),
      'median ms beside it': median(beside.shots),
    },
  ]);
  expect(
    beside.shots.filter((shot) => !isGood(shot)).map(({ kind, reply }) => [kind, reply.status, reply.ms]),
  ).toEqual([]);
  expect(beside.shots.filter(({ kind }) => kind === 'verify').length).toBeGreaterThan(0);
  expect(
    replies.map(({ status, error }) => error ?? status).filter((one) => one !== 201 && one !== 503),
  ).toEqual([]);
  const stored = await sql<
    { action: string }[]
  >`select action from audit_entries where developer_id = ${greedy.developerId}`;
  const done = replies.flatMap((reply, index) => (reply.status === 201 ? `entry ${index}` : []));
  expect(stored.map(({ action }) => action).sort()).toEqual(done.sort());
  expect(done.length).toBeGreaterThan(0);

  const after = await waits(service);
  expect(after.count - before.count).toBeGreaterThanOrEqual(beside.shots.length);
  expect(after.sum).toBeGreaterThan(before.sum);
  await waitFor(
    async () => (await service.scrape()).value('db_client_connection_waiting', MAIN) === 0 || undefined,
  );
  await expectReconciled(service);
  expect(await service.stop()).toBe(0);
});

/** How often requests took a connection from their pool, and how long they waited in total. */
async function waits(service: TestService): Promise<{ count: number; sum: number }> {
  const scrape = await service.scrape();
  const of = (part: string) => scrape.value(`db_client_connection_wait_seconds_${part}`, MAIN) ?? Number.NaN;
  return { count: of('count'), sum: of('sum') };
}

function median(shots: readonly Shot[]): number {
  const sorted = shots.map(({ reply }) => reply.ms).sort((a, b) => a - b);
  return Math.round((sorted[Math.floor(sorted.length / 2)] ?? 0) * 10) / 10;
}
