import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Summary } from '../../deploy/programs/demo/report.ts';
import { ANOMALY_SEVERITIES } from '../../src/label-values.ts';
import { FAMILIES } from '../../src/telemetry/families.ts';
import { npmOutput, npmRun } from '../support/command.ts';
import type { Scrape } from '../support/scrape.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';

const DEMO = fileURLToPath(new URL('../../deploy/programs/demo/demo.ts', import.meta.url));

let service: TestService;
beforeAll(async () => {
  // At whatever hour the test runs, it is an off hour.
  const offHours = { ANOMALY_OFF_HOURS_START: '00:00', ANOMALY_OFF_HOURS_END: '00:00' };
  const hooks = { ALLOW_PRIVATE_WEBHOOK_HOSTS: 'true' };
  const all = { RATE_LIMIT_ENABLED: 'true', METRICS_AGENT_NAMES: 'true' };
  service = await startService({ env: { ...offHours, ...hooks, ...all } });
});
afterAll(() => service.stop());

const here = () => ['--url', service.url, '--quiet'];
const demo = (...args: string[]) => npmOutput('demo', [...here(), ...args], {});

/** The sum of the series of a metric that have these labels. */
const sumOf = (scrape: Scrape, metric: string, labels: Readonly<Record<string, string>>): number =>
  scrape
    .labelSets(metric)
    .filter((one) => Object.entries(labels).every(([name, value]) => one[name] === value))
    .reduce((sum, one) => sum + (scrape.value(metric, one) ?? Number.NaN), 0);

test('twenty seconds: every family has data, and the metrics show what the demo says that it did', async () => {
  const summary: Summary = JSON.parse(await demo('--seconds', '20', '--json', '-'));
  expect(summary.notes).toEqual([]);

  const shown = (scrape: Scrape) =>
    summary.expected.map((one) => ({ ...one, value: sumOf(scrape, one.metric, one.labels) }));
  // A gauge is up to five seconds old.
  const same = (scrape: Scrape) => JSON.stringify(shown(scrape)) === JSON.stringify(summary.expected);
  const scrape = await waitFor(async () => {
    const now = await service.scrape();
    return same(now) || undefined ? now : undefined;
  }).catch(() => service.scrape());
  expect(shown(scrape)).toEqual(summary.expected);
  expect(summary.expected.filter(({ value }) => value === 0)).toEqual([]);

  const names = FAMILIES.flatMap(({ name, perAgent }) => (perAgent ? [name, perAgent.name] : [name]))
    // There is no Redis here.
    .filter((name) => !name.startsWith('redis_'));
  expect(names.filter((name) => !scrape.families.includes(name))).toEqual([]);
  const isEmpty = (name: string) =>
    [name, `${name}_count`].every((one) => scrape.labelSets(one).length === 0);
  expect(names.filter(isEmpty)).toEqual([]);
  expect(Object.keys(summary.totals.byType).sort()).toEqual(Object.keys(ANOMALY_SEVERITIES).sort());
  const outcomes = ['2xx', '3xx', '4xx', '5xx', 'refused'].map((outcome) =>
    sumOf(scrape, 'grantex_webhook_attempts_total', { outcome }),
  );
  expect(Math.min(...outcomes)).toBeGreaterThan(0);
  expect(summary.acts.filter(({ outcome }) => outcome === 'failed' || outcome === 'no answer')).toEqual([]);
});

test('the drills: failures go over the thresholds of their alerts', async () => {
  const { code, stdout, stderr } = await npmRun(
    'demo',
    [...here(), '--seconds', '8', '--faults', '--json', '-'],
    {},
  );
  // A note that deliveries are still under way is no fault.
  expect(code, stderr).toBe(0);
  const { acts, deliveries }: Summary = JSON.parse(stdout);
  const count = (act: string, ...outcomes: string[]) =>
    acts
      .filter((one) => one.act === act && outcomes.includes(one.outcome))
      .reduce((sum, one) => sum + one.count, 0);
  expect(count('exchange', 'refused') / count('exchange', 'ok', 'refused')).toBeGreaterThan(0.15);
  expect(count('refresh', 'refused')).toBeGreaterThan(1);
  expect(count('unknown path', 'refused')).toBeGreaterThan(5);
  expect(deliveries.failed / (deliveries.delivered + deliveries.failed)).toBeGreaterThan(0.05);
});

test('Ctrl-C ends it with its tables; where webhooks are refused, it says what to do', async () => {
  const strict = await startService();
  const child = spawn(process.execPath, [DEMO, '--url', strict.url, '--seconds', '600'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const out = text(child.stdout);
  const err = text(child.stderr);
  const exited = once(child, 'exit');
  const early = exited.then(async () => {
    throw new Error(await err);
  });
  await Promise.race([strict.logged('token.exchanged', 5), early]);
  early.catch(() => undefined);
  child.kill('SIGINT');
  expect(await exited).toEqual([0, null]);
  expect(await out).toMatch(/\| exchange +\| ok +\| \d+ +\|/);
  expect(await err).toContain('ALLOW_PRIVATE_WEBHOOK_HOSTS=true');
  expect(await strict.stop()).toBe(0);
});

test('what it cannot use is refused in words', async () => {
  const outcomes = await Promise.all([
    npmRun('demo', ['--seconds', 'none'], {}),
    npmRun('demo', ['--drills', 'earthquake'], {}),
    npmRun('demo', ['--url', 'http://127.0.0.1:9', '--seconds', '1'], {}),
    npmRun('demo', ['--help'], {}),
  ]);
  expect(outcomes.map(({ code }) => code)).toEqual([2, 2, 1, 0]);
  expect(outcomes.map(({ stdout, stderr }) => (stdout + stderr).split('\n')[0])).toEqual([
    '--seconds must be a number from 1 to 86400; --help says what there is',
    '--drills: there is no earthquake; --help says what there is',
    'no service answers there: start it with `npm start`, or name it with --url',
    'usage: npm run demo -- [options]',
  ]);
});
