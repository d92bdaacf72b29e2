import { expect } from 'vitest';
import { Client } from '../faults/client.ts';
import {
  ANSWER_MS,
  expectAnswersStored,
  expectCountersExplained,
  expectNothingHalfMade,
  expectProperAnswers,
  expectRefusedUndone,
} from '../faults/ledger.ts';
import { isGood, type Shot, startTraffic } from '../faults/traffic.ts';
import { printTable } from '../load/table.ts';
import type { Party } from '../support/flow.ts';
import { expectExplained, snapshotOf } from '../support/reconcile.ts';
import { waitFor } from '../support/service.ts';
import type { FailoverCluster } from './cluster.ts';
import type { DrilledService } from './drilled-service.ts';
import type { Fault } from './faults.ts';
import { tableOf } from './outage.ts';

const SECOND = 1_000;
/** From the moment at which the new leader can be reached. */
export const RECOVERY_MS = 5 * SECOND;
const CALLERS = 8;
const ENOUGH = 200;

/** The fault under load, from good to good again; asserted is what the callers see, and that nobody is kept waiting. */
export async function drill(
  cluster: FailoverCluster,
  drilled: DrilledService,
  party: Party,
  fault: Fault,
): Promise<readonly Shot[]> {
  const { service, way } = drilled;
  const old = await cluster.complete();
  const traffic = startTraffic({ url: service.url, ...party, callers: CALLERS });
  const client = new Client(service.url);
  const since = (moment: number, is: (shot: Shot) => boolean) =>
    traffic.shots.filter((shot) => is(shot) && shot.reply.begun > moment);
  const manyGoodSince = (moment: number) =>
    waitFor(() => since(moment, isGood).length >= ENOUGH || undefined, 30 * SECOND);
  const health = async (): Promise<number> => {
    const { status, ms } = await client.send({ method: 'GET', path: '/health' });
    expect(ms).toBeLessThan(ANSWER_MS);
    return status;
  };
  try {
    await manyGoodSince(0);
    const begun = performance.now();
    const { victim, over } = await fault.begin(cluster, old, way);
    const outcome = over.then((leader) => ({ leader, back: performance.now() }));
    // Awaited below; until then its failure is nobody's surprise.
    outcome.catch(() => undefined);
    if (fault.isOutage) await waitFor(async () => (await health()) === 503 || undefined, 10 * SECOND);
    const { leader, back } = await outcome;
    await waitFor(async () => (await health()) === 200 || undefined, RECOVERY_MS);
    await manyGoodSince(back + RECOVERY_MS);
    await fault.end(cluster, victim);
    expect(await cluster.complete()).toBe(leader);
    await manyGoodSince(performance.now());
    await traffic.stop();
    printTable(`${fault.name}, by ${way}`, [tableOf(traffic.shots, { begun, back })]);
    await drilled.lookAt(leader);
    // By when they were sent: how long a machine takes to answer is another matter.
    expect(since(back + RECOVERY_MS, (shot) => !isGood(shot))).toEqual([]);
  } finally {
    await traffic.stop();
    client.close();
  }
  expectProperAnswers(traffic.shots);
  expect(service.process.exitCode).toBeNull();
  return traffic.shots;
}

/** What was answered is there, what was refused is not, and the counters say what the rows say. */
export async function expectKept({ service, sql }: DrilledService, shots: readonly Shot[]): Promise<void> {
  const counts = await expectCountersExplained(sql, shots, await service.scrape());
  printTable(
    'counters and rows',
    counts.map((count) => ({ ...count })),
  );
  await expectAnswersStored(sql, shots);
  await expectNothingHalfMade(sql);
  const client = new Client(service.url);
  const again = async ({ sending }: Shot) => (await client.send(sending)).status;
  await expectRefusedUndone(sql, shots, again).finally(() => client.close());
}

/** Nothing of the service is left with another server than the leader, and its gauge knows all that is there. */
export async function expectAtLeaderOnly(cluster: FailoverCluster, drilled: DrilledService): Promise<void> {
  const { name } = await cluster.leader();
  const none = Object.fromEntries(cluster.nodes.map((node) => [node.name, 0]));
  await expect
    .poll(
      async () => {
        const sessions = await drilled.sessions();
        const scrape = await drilled.service.scrape();
        return { sessions, gauge: scrape.sum('db_client_connection_count') - (sessions[name] ?? 0) };
      },
      { timeout: RECOVERY_MS },
    )
    .toEqual({ sessions: { ...none, [name]: expect.any(Number) }, gauge: 0 });
}

/** From a snapshot on, after all of it, counters and gauges are exactly what the rows are. */
export async function expectReconciledFromHere({ service }: DrilledService, party: Party): Promise<void> {
  const begin = await snapshotOf(service);
  const traffic = startTraffic({ url: service.url, ...party, name: 'afterwards' });
  await waitFor(() => traffic.shots.length >= ENOUGH || undefined, 30 * SECOND).finally(() => traffic.stop());
  await expectExplained(begin, 0, service);
}
