import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Finding } from '../../src/reconciliation/judge.ts';
import type { Reconciliation } from '../../src/reconciliation/reconcile.ts';
import { startTraffic } from '../faults/traffic.ts';
import { npmOutput, npmRun } from '../support/command.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService, temporaryDirectory, waitFor } from '../support/service.ts';
import { type ScrapingPrometheus, startScraping } from './pipeline/scraping-prometheus.ts';

let database: TestDatabase;
let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let prometheus: ScrapingPrometheus;
let first: TestService;
let second: TestService;
let party: Party;

const start = (env = {}) =>
  startService({ database, env: { JWT_ISSUER: 'https://auth.example.com', ...env } });

beforeAll(async () => {
  database = await createTestDatabase();
  directory = await temporaryDirectory();
  [first, second] = [await start(), await start()];
  party = await newParty(first, 'sandbox');
  prometheus = await startScraping([first, second]);
});
afterAll(async () => {
  await prometheus?.stop();
  await first?.stop();
  await second?.stop();
  await database?.drop();
  await directory?.remove();
});

async function reconcile(...args: string[]): Promise<{ code: number | null } & Reconciliation> {
  const { code, stdout, stderr } = await npmRun(
    'reconcile',
    ['--prometheus', prometheus.url, '--patience', '20', '--json', ...args],
    { DATABASE_URL: database.url },
  );
  expect(stderr).toBe('');
  return { code, ...JSON.parse(stdout) };
}

/** Runs traffic on both replicas until each has answered `count` requests. */
async function load(count: number, meanwhile: () => Promise<unknown> = async () => undefined) {
  const traffics = [first, second].map(({ url }) => startTraffic({ url, ...party, callers: 2 }));
  for (const { shots } of traffics) await waitFor(() => shots.length >= count || undefined);
  await meanwhile();
  for (const traffic of traffics) await traffic.stop();
}

const verdictOf = (findings: readonly Finding[], what: string) => findings.find((one) => one.what === what);

test('two replicas under load: equal as soon as they are at rest, and between two looks while they work', async () => {
  let working: Awaited<ReturnType<typeof reconcile>> | undefined;
  await load(100, async () => {
    working = await reconcile();
  });
  expect([working?.code, working?.ended, working?.living.length]).toEqual([0, [], 2]);
  // The detection of anomalies ends a little after the callers.
  const findings = await waitFor(async () => {
    const { code, findings, living } = await reconcile();
    expect([code, living.length]).toEqual([0, 2]);
    const exact = findings.every(({ counted, least, most }) => counted === least && least === most);
    return exact ? findings : undefined;
  });
  expect(verdictOf(findings, 'exchanges')?.counted).toBeGreaterThan(50);
});

test('a replica that is killed under load leaves a gap that its last scrape explains, and a greater one is named', async () => {
  const port = new URL(second.url).port;
  await load(100, async () => {
    const exited = once(second.process, 'exit');
    second.process.kill('SIGKILL');
    await exited;
  });
  const killed = await reconcile();
  expect([killed.code, killed.living.length, killed.ended.length]).toEqual([0, 1, 1]);
  for (const { what, counted, least, most, uncounted, verdict } of killed.findings) {
    const proper = Number(counted) <= most && Number(counted) >= least - uncounted;
    expect([what, proper, verdict]).toEqual([what, true, Number(counted) >= least ? 'equal' : 'explained']);
  }

  // The next process at the same address starts its counters at 0.
  second = await start({ PORT: port });
  await load(50);
  const again = await reconcile();
  expect([again.code, again.living.length, again.ended.length]).toEqual([0, 2, 1]);
  expect(Number(verdictOf(again.findings, 'exchanges')?.counted)).toBeGreaterThan(
    Number(verdictOf(killed.findings, 'exchanges')?.counted),
  );
  const { uncounted = 0 } = verdictOf(again.findings, 'created, consent') ?? {};

  // A new snapshot after the kill makes everything exact again.
  const file = join(directory.path, 'base.json');
  await npmOutput('reconcile', ['--prometheus', prometheus.url, '--snapshot', file], {
    DATABASE_URL: database.url,
  });
  await load(50);
  const since = await reconcile('--since', file);
  expect([since.code, since.living.length, since.ended.length]).toEqual([0, 2, 0]);
  expect(since.findings.filter(({ verdict }) => verdict !== 'equal')).toEqual([]);

  await database.sql`insert into grants select forged.*
    from (select * from grants where parent_grant_id is null and status = 'active' limit 1) given, generate_series(0, ${uncounted}::int) n,
      jsonb_populate_record(null::grants,
        to_jsonb(given) || jsonb_build_object('id', 'grnt_forged_' || n, 'issued_at', '2020-01-01T00:00:00Z')) forged`;
  const forged = await reconcile();
  expect(forged.code).toBe(1);
  expect(forged.findings.filter(({ verdict }) => verdict === 'differs').map(({ what }) => what)).toEqual([
    'exchanges',
    'requests, exchanged',
    'created, consent',
  ]);
});
