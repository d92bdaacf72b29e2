import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { logFiltersOf } from '../../deploy/programs/rules/check-runbook.ts';
import { loopback } from '../../deploy/programs/stack/addresses.ts';
import type { Snapshot } from '../../src/reconciliation/snapshot.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { expectExplained, snapshotOf } from '../support/reconcile.ts';
import { type TestService, waitFor } from '../support/service.ts';
import { drill, type Outcome, tableOf } from './drills/drill.ts';
import { DRILL_ENV, faultBehind, prepareFaults } from './drills/faults.ts';
import { prepareHeldFeed, prepareHeldLock } from './drills/held-lock.ts';
import { type Pipeline, startPipeline } from './pipeline/pipeline.ts';

/**
 * The drills run fifteen times faster: windows, pauses and intervals are shorter, thresholds are the committed ones.
 */
const MINUTE = 60_000;

let pipeline: Pipeline;
let database: TestDatabase;
let service: TestService;
let watch: { prometheus: Pipeline['prometheus']; sink: string };
const outcomes: Outcome[] = [];
let begin: Snapshot;

const startService = () => pipeline.startService(DRILL_ENV, database);

beforeAll(async () => {
  pipeline = await startPipeline('prometheus', 'alertmanager', 'alert-sink', 'blackbox', 'otel-collector');
  watch = { prometheus: pipeline.prometheus, sink: `http://${loopback(pipeline.ports.alertSink)}` };
  database = await createTestDatabase();
  service = await startService();
  begin = await snapshotOf(service);
});
afterAll(async () => {
  await service?.stop();
  await database?.drop();
  await pipeline?.stop();
  process.stdout.write(`${tableOf(outcomes)}\n`);
});

/** The service is scraped, and no alert of these names fires or is pending, except the watchdog. */
const allIsWell = (alerts = '.+') =>
  waitFor(async () => {
    const [up, pending] = await Promise.all([
      watch.prometheus.query('grantex_active_grants'),
      watch.prometheus.query(`ALERTS{alertname=~"${alerts}", alertname!="GrantexWatchdog"}`),
    ]);
    return up.length === 1 && pending.length === 0 ? true : undefined;
  }, MINUTE);

test(
  'faults of traffic and of the database fire their alerts, which arrive with their runbooks, and clear',
  async () => {
    await allIsWell();
    const faults = await prepareFaults(service);
    const results = await Promise.allSettled(faults.map((fault) => drill(fault, watch)));
    for (const result of results) if (result.status === 'fulfilled') outcomes.push(result.value);
    expect(results.filter(({ status }) => status === 'rejected')).toEqual([]);
    for (const { alert } of faults) await tryFilters(alert);
  },
  5 * MINUTE,
);

test(
  'so do locks that somebody holds, until they are released',
  async () => {
    // The slow database may have caused the same alerts.
    await allIsWell('DatabaseConnectionsWaiting|DatabaseStatementsEnded|DatabaseErrors');
    const faults = [await prepareHeldFeed(service), ...(await prepareHeldLock(service))];
    outcomes.push(...(await Promise.all(faults.map((fault) => drill(fault, watch)))));
    for (const { alert } of faults) await tryFilters(alert);
  },
  5 * MINUTE,
);

test(
  'so does a service that was killed, until it is started again',
  async () => {
    // The error budgets still contain the errors of the first drills.
    await allIsWell('HealthCheckFailing|GrantexTargetDown');
    const faults = faultBehind(
      'a killed service',
      { HealthCheckFailing: { job: 'grantex-auth-health' }, GrantexTargetDown: { job: 'grantex-auth' } },
      async () => {
        const exited = once(service.process, 'exit');
        service.process.kill('SIGKILL');
        await exited;
        return async () => {
          service = await startService();
        };
      },
    );
    outcomes.push(...(await Promise.all(faults.map((fault) => drill(fault, watch)))));
    await tryFilters('HealthCheckFailing');
    await tryFilters('GrantexTargetDown');
  },
  3 * MINUTE,
);

test(
  'after all that, what was counted is what the rows say, but for what the killed service took with it',
  () => expectExplained(begin, 1, service),
  MINUTE,
);

/** The log filters of a runbook find lines in the service's log. */
async function tryFilters(alert: string): Promise<void> {
  const file = new URL(`../../deploy/runbooks/${alert}.md`, import.meta.url);
  for (const filter of logFiltersOf(await readFile(file, 'utf8'))) {
    const jq = spawn('jq', ['-cR', filter], { stdio: ['pipe', 'pipe', 'inherit'] });
    let output = '';
    jq.stdout.on('data', (chunk) => (output += chunk));
    jq.stdin.end(service.stdout.join('\n'));
    const [code] = await once(jq, 'close');
    expect(code, filter).toBe(0);
    expect(output, `${alert}: ${filter}`).not.toBe('');
  }
}
