import { type ChildProcess, spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loopback, rewriteAddresses } from '../../deploy/programs/stack/addresses.ts';
import { newParty } from '../support/flow.ts';
import { type TestService, temporaryDirectory } from '../support/service.ts';
import { binary } from './binaries/build.ts';
import { type Pipeline, startPipeline } from './pipeline/pipeline.ts';
import { Prometheus } from './pipeline/prometheus.ts';
import { runProgram } from './python.ts';

const JOBS = ['alertmanager', 'grantex-auth', 'grantex-auth-health', 'otel-collector', 'prometheus'];

let pipeline: Pipeline;
let service: TestService;
let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let oldProcess: ChildProcess;
/** Debian's Prometheus, version 2.42. It can read the committed file without the newer settings. */
let old: Prometheus;

beforeAll(async () => {
  pipeline = await startPipeline('otel-collector', 'prometheus', 'alertmanager', 'blackbox');
  service = await pipeline.startService();
  const party = await newParty(service);
  const { grantToken } = await party.grant();
  await party.verify(grantToken);
  directory = await temporaryDirectory();
  const committed = await readFile(
    fileURLToPath(new URL('../../deploy/prometheus/prometheus.yml', import.meta.url)),
    'utf8',
  );
  const config = rewriteAddresses(committed, pipeline.ports)
    .replace(/^otlp:\n(?: .*\n)+/m, '')
    .replace(/^rule_files:\n(?: .*\n)+/m, '')
    .replaceAll(/(scrape_interval|scrape_timeout): \d+s/g, '$1: 1s');
  const file = join(directory.path, 'prometheus.yml');
  await writeFile(file, config);
  // A port of the stack that no other program uses in this test.
  const address = loopback(pipeline.ports.alertSink);
  oldProcess = spawn(
    '/usr/bin/prometheus',
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${directory.path}/data`,
      `--web.listen-address=${address}`,
    ],
    { stdio: 'ignore' },
  );
  old = new Prometheus(`http://${address}`);
});
afterAll(async () => {
  oldProcess?.kill('SIGKILL');
  await service?.stop();
  await pipeline?.stop();
  await directory?.remove();
});

const upByJob = async (prometheus: Prometheus) =>
  prometheus.query('up').then(
    (series) => Object.fromEntries(series.map(({ labels, value }) => [labels['job'], value])),
    () => ({}),
  );
const ALL_UP = Object.fromEntries(JOBS.map((job) => [job, 1]));

test('every target is up, and the probe finds the service healthy', async () => {
  const { prometheus } = pipeline;
  await expect.poll(() => upByJob(prometheus), { interval: 250 }).toEqual(ALL_UP);
  expect((await prometheus.targets()).map(({ lastError }) => lastError)).toEqual(JOBS.map(() => ''));
  const probe = await prometheus.query('probe_success{job="grantex-auth-health"}');
  expect(probe.map(({ labels, value }) => [labels['instance'], value])).toEqual([
    [`http://${loopback(pipeline.ports.service)}/health`, 1],
  ]);
});

test('nothing of a scrape is thrown away, and Prometheus has nothing to say about it', async () => {
  const { prometheus, stack } = pipeline;
  const scrapes = async () =>
    (await prometheus.query('min(count_over_time(up[5m]))')).map(({ value }) => value >= 3);
  await expect.poll(scrapes, { interval: 250 }).toEqual([true]);
  const thrownAway = await prometheus.query(
    '{__name__=~"prometheus_target_scrapes?_(exceeded|sample_duplicate|sample_out_of|cache_flush|pool_exceeded).*_total"} > 0',
  );
  expect(thrownAway).toEqual([]);
  const log = await readFile(stack.program('prometheus').logFile, 'utf8');
  const complaints = log.split('\n').filter((line) => /level=(WARN|ERROR)/.test(line));
  expect(complaints).toEqual([]);
  const exposed = (await service.scrape()).text.split('\n').filter((line) => /^[^#]/.test(line));
  // A partial scrape would have fewer samples. A few series may begin between the two scrapes.
  const [samples] = await prometheus.query('scrape_samples_scraped{job="grantex-auth"}');
  const [kept] = await prometheus.query('scrape_samples_post_metric_relabeling{job="grantex-auth"}');
  expect(kept?.value).toBe(samples?.value);
  expect(Math.abs((samples?.value ?? 0) - exposed.length)).toBeLessThan(exposed.length / 10);
});

test('promtool has nothing to say against our own families', async () => {
  const file = join(directory.path, 'exposition.txt');
  await writeFile(file, (await service.scrape()).text);
  const { code, output } = await runProgram('sh', [
    '-c',
    `"$0" check metrics < "$1"`,
    await binary('promtool'),
    file,
  ]);
  // 3 means valid, with remarks on style. They concern families of OpenTelemetry's own instrumentations.
  expect([0, 3]).toContain(code);
  expect(output).not.toMatch(/error while linting|text format parsing error/);
  expect(output.split('\n').filter((line) => line.startsWith('grantex_'))).toEqual([]);
});

test('Prometheus 2.42 takes the same families, with the same types', async () => {
  await expect.poll(() => upByJob(old), { interval: 250 }).toEqual(ALL_UP);
  const families = async (prometheus: Prometheus) =>
    (await prometheus.metadata('grantex-auth')).map(({ metric, type }) => `${metric} ${type}`).sort();
  const known = await families(pipeline.prometheus);
  expect(known).toContain('grantex_token_exchange counter');
  expect(await families(old)).toEqual(known);
});
