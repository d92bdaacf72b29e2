import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { printTable } from '../load/table.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty } from '../support/flow.ts';
import { holdRequest } from '../support/hold-request.ts';
import { parseScrape, type Scrape } from '../support/scrape.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';
import { type Balancer, startBalancer } from './balancer.ts';
import { expectAnswersStored, expectCountersExplained, expectProperAnswers } from './ledger.ts';
import { isGood, startTraffic } from './traffic.ts';

const SECOND = 1_000;
/** The number of answered requests between two steps of the restart. */
const MEANWHILE = 300;

async function startReplica(database: TestDatabase, balancer: Balancer, more = {}): Promise<TestService> {
  // All replicas have one address and therefore one issuer, so each accepts the tokens of the others.
  const env = { PUBLIC_URL: balancer.url, METRICS_PORT: '0', ...more };
  const service = await startService({ database, env });
  onTestFinished(() => void service.process.kill('SIGKILL'));
  return service;
}

/** Scrapes the separate metrics port of a replica. It answers until the last request is answered. */
async function scrape({ logs }: TestService): Promise<Scrape> {
  const port = logs.find(({ msg }) => msg === 'service.started')?.['metricsPort'];
  return parseScrape(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text());
}

/** Sends SIGTERM under load. Takes the last scrape after the last answer to a caller and before the end. */
async function endUnderLoad(service: TestService, key: string, balancer: Balancer) {
  const letGo = await holdRequest(service, key);
  const exited = once(service.process, 'exit');
  service.process.kill('SIGTERM');
  await service.logged('service.stopping');
  await waitFor(() => balancer.connections(service.url) === 0 || undefined, 6 * SECOND);
  const last = await scrape(service);
  letGo();
  return { last, code: (await exited)[0] as number };
}

/** The sum of the series of several processes. */
const together = (scrapes: readonly Scrape[]): Scrape => ({
  ...(scrapes[0] as Scrape),
  value: (name, labels) => scrapes.reduce((sum, one) => sum + (one.value(name, labels) ?? Number.NaN), 0),
});

test('two replicas are restarted in turn under load: no request fails, and the counters of all four add up to the rows', async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const balancer = await startBalancer();
  onTestFinished(() => balancer.close());
  const old = await Promise.all([startReplica(database, balancer), startReplica(database, balancer)]);
  let inUse: TestService[] = old;
  await balancer.use(...inUse.map(({ url }) => url));
  const party = await newParty(old[0], 'sandbox');
  const traffic = startTraffic({ url: balancer.url, ...party, callers: 8 });
  const more = ({ shots } = traffic) => {
    const target = shots.length + MEANWHILE;
    return waitFor(() => shots.length >= target || undefined, 30 * SECOND);
  };

  const ended: Scrape[] = [];
  for (const service of old) {
    await more();
    const begun = traffic.shots.length;
    const { last, code } = await endUnderLoad(service, party.key, balancer);
    expect(code).toBe(0);
    expect(traffic.shots.length).toBeGreaterThan(begun);
    ended.push(last);
    const successor = await startReplica(database, balancer);
    inUse = [...inUse.filter((one) => one !== service), successor];
    await balancer.use(...inUse.map(({ url }) => url));
  }
  // The first callers keep their connections. The connections of these are spread over both replicas.
  const late = startTraffic({ url: balancer.url, ...party, callers: 4, name: 'late' });
  await more(late);
  await Promise.all([traffic.stop(), late.stop()]);
  const shots = [...traffic.shots, ...late.shots];

  const scrapes = [...ended, ...(await Promise.all(inUse.map(scrape)))];
  const requests = scrapes.map((one) => one.sum('grantex_http_request_duration_seconds_count'));
  printTable('rolling restart', [
    {
      requests: shots.length,
      failed: shots.filter((shot) => !isGood(shot)).length,
      'slowest ms': Math.round(Math.max(...shots.map(({ reply }) => reply.ms))),
      'by the four': requests.join(' + '),
    },
  ]);
  expect(shots.filter((shot) => !isGood(shot))).toEqual([]);
  expectProperAnswers(shots);
  await expectAnswersStored(database.sql, shots);
  const counts = await expectCountersExplained(database.sql, shots, together(scrapes));
  for (const { what, counted, rows } of counts) expect([what, counted]).toEqual([what, rows]);
  for (const count of requests) expect(count).toBeGreaterThan(0);
  expect(await Promise.all(inUse.map((service) => service.stop()))).toEqual([0, 0]);
});

test('with SHUTDOWN_DELAY_MS a balancer that tries nobody else, and asks for readiness now and then, loses no request either', async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const balancer = await startBalancer({ checkMs: 100 });
  onTestFinished(() => balancer.close());
  const start = () => startReplica(database, balancer, { SHUTDOWN_DELAY_MS: '1500' });
  const replicas = await Promise.all([start(), start()]);
  await balancer.use(...replicas.map(({ url }) => url));
  const party = await newParty(replicas[0], 'sandbox');
  const traffic = startTraffic({ url: balancer.url, ...party, callers: 8 });
  const more = () => {
    const target = traffic.shots.length + MEANWHILE;
    return waitFor(() => traffic.shots.length >= target || undefined, 30 * SECOND);
  };
  for (const index of [0, 1]) {
    await more();
    const [leaving, other] = [replicas[index], replicas[1 - index]] as [TestService, TestService];
    expect(await leaving.stop()).toBe(0);
    replicas[index] = await start();
    await balancer.use(other.url, (replicas[index] as TestService).url);
  }
  await more();
  await traffic.stop();
  expect(traffic.shots.filter((shot) => !isGood(shot))).toEqual([]);
  expectProperAnswers(traffic.shots);
  await expectAnswersStored(database.sql, traffic.shots);
  expect(await Promise.all(replicas.map((service) => service.stop()))).toEqual([0, 0]);
});
