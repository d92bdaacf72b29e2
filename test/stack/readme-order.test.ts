import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { npmRun } from '../support/command.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';
import { pasteTour } from '../support/tour.ts';
import { type ScrapingPrometheus, startScraping } from './pipeline/scraping-prometheus.ts';

const MINUTE = 60_000;
/** `reconcile` adds five seconds at both ends of the time in which a process that was killed may have worked unseen. */
const MARGIN_SECONDS = 6;

let database: TestDatabase;
let service: TestService;
let prometheus: ScrapingPrometheus;
/** The demo's receivers of webhooks are on this machine. */
const DEMO_ENV = { ALLOW_PRIVATE_WEBHOOK_HOSTS: 'true' };
const start = (env = {}) => startService({ database, env: { ...DEMO_ENV, ...env } });
beforeAll(async () => {
  database = await createTestDatabase();
  service = await start();
}, MINUTE);
afterAll(async () => {
  await prometheus?.stop();
  await service?.stop();
  await database?.drop();
});

async function playDemo(): Promise<void> {
  const { code, stderr } = await npmRun('demo', ['--url', service.url, '--quiet', '--seconds', '5'], {});
  // It may note there what so short a demo did not show.
  expect(code, stderr).toBe(0);
}
async function reconcile(...from: string[]) {
  const { code, stdout, stderr } = await npmRun('reconcile', from, { DATABASE_URL: database.url });
  return { code, stderr, stdout, last: stdout.trimEnd().split('\n').at(-1) };
}
/** The most removed rows of one kind that were counted in a minute in which the process may have worked unseen. */
async function removedInMinutesOf(stdout: string): Promise<number> {
  const [, from, to] = /last scraped (\S+), gone by (\S+), when another/.exec(stdout) ?? [];
  const [row] = await database.sql`select coalesce(max(total), 0)::int as removed from (
    select sum(total) as total from removed_counts
    where counted in ('requested', 'consented') and minute <= ${String(to)}::timestamptz + interval '6 seconds'
      and minute + interval '1 minute' > ${String(from)}::timestamptz - interval '6 seconds'
    group by counted) kinds`;
  return Number(row?.['removed']);
}
const restarted = () => start({ PORT: new URL(service.url).port });
/** Until nothing that has happened is within the margin of a scrape. */
const scrapedAfter = (seconds: number) =>
  waitFor(async () => {
    const [found] = await prometheus.query(
      `timestamp(grantex_authorize_total{status="success"}) > ${seconds}`,
    );
    return found;
  }, MINUTE);
const now = () => Date.now() / 1000;

test('the tour, a restart, the demo: the numbers are equal to the rows, and nothing has to be explained', {
  timeout: 3 * MINUTE,
}, async () => {
  await pasteTour(service.url);
  expect(await service.stop()).toBe(0);
  service = await restarted();
  await playDemo();
  const { code, stderr, stdout, last } = await reconcile('--scrape', `${service.url}/metrics`);
  expect([code, stderr, last]).toEqual([0, '', 'equal']);
  expect(stdout).toContain('\n1 living process, 0 without a last count\n');
  expect(stdout).not.toMatch(/not counted|differs|still to be told/);
});

test('the tour, kill -9, the demo: only what no scrape has seen is missing, and the last words say how much', {
  timeout: 4 * MINUTE,
}, async () => {
  prometheus = await startScraping([service]);
  await pasteTour(service.url);
  const party = await newParty(service, 'sandbox');
  await scrapedAfter(now() + MARGIN_SECONDS);

  // Two grants after the last scrape.
  prometheus.process.kill('SIGSTOP');
  for (const _ of [1, 2]) await party.grant();
  const exited = once(service.process, 'exit');
  service.process.kill('SIGKILL');
  await exited;
  service = await restarted();
  prometheus.process.kill('SIGCONT');
  // The process that was killed counts as gone only once the next one has been scraped.
  await scrapedAfter(now());
  await scrapedAfter(now() + MARGIN_SECONDS);
  await playDemo();

  const { code, stderr, stdout, last } = await reconcile('--prometheus', prometheus.url, '--patience', '20');
  expect([code, stderr]).toEqual([0, '']);
  const most = Array.from(stdout.matchAll(/ 2 not counted \(at most (\d+)\)/g), ([, rows]) => Number(rows));
  expect(most).toHaveLength(4);
  // Of what the demo has removed since, only the minute is known.
  const removed = await removedInMinutesOf(stdout);
  expect(most.filter((rows) => rows < 2 || rows > 2 + removed)).toEqual([]);
  for (const what of ['authorizations', 'exchanges', 'requests, exchanged', 'created, consent'])
    expect(stdout).toMatch(new RegExp(`\\| ${what} +\\| \\d+ +\\| \\d+ +\\| 2 not counted`));
  expect(stdout).not.toContain('differs');
  expect(last).toMatch(/^equal but for at most 8 events after the last scrape of process [\da-f-]{36}$/);
});
