/**
 * `npm run bench`: measures requests per second, latency, CPU and database work of each scenario, in turn with full
 * telemetry, sampled telemetry and none, and on the floor, which does only what the service cannot leave out
 * (`floor.ts`). Then it measures different numbers of connections, growth of the database, memory, the scrape alone
 * beside prom-client, and the revocation feed. It prints tables and writes the figures as JSON to `test/load/results`. It
 * takes some ten minutes.
 *
 * `--rows 10000000` does something else: it compares a database with that many grants with one of 10,000.
 *
 * `options.ts` lists the options. `--profile <directory>` writes a CPU profile of the service with all telemetry for each
 * scenario there, and prints the functions that take the most time. `--smoke` is a short run for CI. It proves that the
 * benchmark works; its figures mean nothing.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { dirname } from 'node:path';
import { buildService } from '../support/service-build.ts';
import { SERVICE_BUILD } from '../support/service-build-variable.ts';
import { machineTime, memoryOf } from './cpu.ts';
import { readMetrics, sumOf } from './exposition.ts';
import { measureFanOut } from './fan-out.ts';
import { figures, medianFigures, ratios, type Turn } from './figures.ts';
import { growTo } from './grow.ts';
import { type Measured, measure } from './measure.ts';
import { measureDetection } from './measure-detection.ts';
import { readOptions, scenarioCalled, WORK } from './options.ts';
import { profile } from './profile.ts';
import { measureRows } from './rows/measure-rows.ts';
import type { Scenario } from './scenarios.ts';
import { scrapeAlone } from './scrape.ts';
import { signatureCpu } from './signature.ts';
import { openEs256Site, openSite, type Site } from './site.ts';
import { printTable, type Row, round } from './table.ts';
import { addAgents } from './tenants.ts';
import { openTestbed, type StartedServer, type Variant } from './testbed.ts';

/** How many are revoked one after the other while clients follow the feed. */
const REVOCATIONS = 10;

const options = readOptions();
const { load, rounds } = options;

// As the image has it.
process.env[SERVICE_BUILD] ??= await buildService();
const testbed = await openTestbed(options.directory);
try {
  if (options.onlyRows) await runRows();
  else await run();
} finally {
  await testbed.end();
}

async function run(): Promise<void> {
  const machine = {
    cpu: cpus()[0]?.model ?? '',
    cores: cpus().length,
    node: process.version,
    'load average': round(loadavg()[0] ?? 0),
    'RS256 µs': round(signatureCpu()),
  };
  const before = machineTime();
  const site = await openSite(testbed, options);

  const scenarios: Row[] = [];
  const profiles: Row[] = [];
  const addScenario = async (of: Site, scenario: Scenario) => {
    scenarios.push(await compare(of, scenario));
    profiles.push(...(await profileOf(of, scenario)));
  };
  for (const scenario of options.scenarios) await addScenario(site, scenario);
  const signing = options.scenarios.filter(({ goalOfEs256 }) => goalOfEs256);
  if (signing.length > 0) {
    const es256 = await openEs256Site(testbed, options);
    for (const scenario of signing) await addScenario(es256, scenario);
  }
  const widths = await measureWidths(site);
  const growth = await measureGrowth(site);
  const largest = options.sizes.at(-1);
  const anomalies = largest === undefined ? [] : [await measureDetection(testbed.sql, site.full, largest)];
  const services: Row[] = [];
  for (const [variant, server] of site.services) services.push(await serviceRow(variant, server));
  const scrapes: Row[] = [];
  if (options.agents > 0) {
    progress('one scraper');
    scrapes.push(await scrapeAlone(testbed, site.full, site.tenants, load, rounds));
    await addAgents(site.full, options.agents);
    scrapes.push(await scrapeAlone(testbed, site.full, site.tenants, load, rounds));
  }

  const fanOut: Row[] = [];
  if (options.followers > 0) {
    progress('the revocation feed');
    fanOut.push(await measureFanOut(testbed, { clients: options.followers, revocations: REVOCATIONS }));
  }

  await runRows();

  const after = machineTime();
  const stolen = (after.stolen - before.stolen) / (after.total - before.total);
  printTable(`Scenarios, ${load.connections} connections`, scenarios);
  printTable('Where the time of the service with all telemetry goes, main thread', profiles);
  printTable('Widths of concurrency, telemetry full', widths);
  printTable(`Growth of the database, ${load.connections} connections, telemetry full`, growth);
  printTable('A look for anomalies of one developer', anomalies);
  printTable('Services', services);
  printTable('One scraper, without and with series of many agents', scrapes);
  printTable('One revocation to all who follow the feed', fanOut);
  printTable('Machine', [{ ...machine, 'steal %': round(stolen * 100) }]);
  if (stolen > 0.05)
    process.stdout.write('\nMore than 5 % of the machine was taken away meanwhile: run it again.\n');
  const tables = { scenarios, profiles, widths, growth, anomalies, services, scrapes, fanOut };
  await writeResults(options.json, { machine: { ...machine, stolen }, load: { ...load, rounds }, ...tables });
}

/** Compares two databases of different size, and prints the sizes of the larger one's tables. */
async function runRows(): Promise<void> {
  const { rows } = options;
  if (rows === undefined) return;
  const result = await measureRows(testbed, rows, options, progress);
  printTable(`Work with ${rows.many} grants, and with ${rows.few}`, result.compared);
  printTable(`Tables with ${rows.many} grants`, result.sizes);
  await writeResults(options.json.replace(/\.json$/, '-rows.json'), { rows, ...result });
}

async function writeResults(file: string, results: object): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(results, null, 2)}\n`);
  process.stdout.write(`\nFigures as JSON: ${file}\n`);
}

/** Shows what runs now. The tables come at the end. */
function progress(now: string): void {
  process.stderr.write(`${now}\n`);
}

/**
 * Measures every variant and the floor in turn, several times, so that changes on the machine affect all of them. Ratios
 * compare measurements of the same turn.
 */
async function compare(
  { algorithm, services, floor, tenants, goalOf }: Site,
  scenario: Scenario,
): Promise<Row> {
  const name = scenario.goalOfEs256 ? `${scenario.name}, ${algorithm}` : scenario.name;
  progress(name);
  const goal = goalOf(scenario);
  const turns: Turn[] = [];
  for (let turn = 0; turn < rounds; turn++) {
    const measured: Partial<Record<keyof Turn, Measured>> = {};
    for (const [variant, server] of services) {
      // Without metrics there is nothing to scrape.
      if (scenario.name === 'scrape' && variant === 'off') continue;
      measured[variant] = await measure(testbed, server, scenario, tenants, load);
    }
    if (goal) measured.floor = await measure(testbed, floor, scenario, tenants, load);
    turns.push(measured);
  }
  const full = medianFigures(turns.flatMap((turn) => turn.full ?? []));
  return { scenario: name, ...figures(full), ...ratios(turns, goal) };
}

/** A turn of its own, because the profiler takes a part of the time that it measures. */
async function profileOf({ algorithm, full, tenants }: Site, scenario: Scenario): Promise<Row[]> {
  const { profile: directory } = options;
  if (directory === undefined || full.inspector === undefined) return [];
  const name = algorithm === 'ES256' ? `${scenario.name}, ES256` : scenario.name;
  return profile(full.inspector, { name, directory }, () => measure(testbed, full, scenario, tenants, load));
}

async function measureWidths({ full, tenants }: Site): Promise<Row[]> {
  const rows: Row[] = [];
  for (const connections of options.widths) {
    progress(`${connections} connections`);
    for (const scenario of WORK) {
      const measured = await measure(testbed, full, scenario, tenants, { ...load, connections });
      rows.push({ connections, scenario: scenario.name, ...figures(measured) });
    }
  }
  return rows;
}

async function measureGrowth({ full, tenants }: Site): Promise<Row[]> {
  const rows: Row[] = [];
  for (const grants of options.sizes) {
    progress(`${grants} grants`);
    await growTo(testbed.sql, grants);
    for (const scenario of [...WORK, scenarioCalled('scrape')]) {
      const measured = await measure(testbed, full, scenario, tenants, load);
      rows.push({ grants, scenario: scenario.name, ...figures(measured) });
    }
  }
  return rows;
}

/**
 * The figures of one service after the run. It lists dropped spans, because they would make telemetry look too cheap.
 */
async function serviceRow(variant: Variant, server: StartedServer): Promise<Row> {
  const metrics = await readMetrics(server);
  return {
    telemetry: variant,
    'start ms': Math.round(server.startMs),
    'MiB after start': server.startMiB,
    'MiB after the run': memoryOf(server.pid),
    'requests served': metrics === null ? '' : sumOf(metrics, 'grantex_http_request_duration_seconds_count'),
    'spans and lines dropped': metrics === null ? '' : sumOf(metrics, 'grantex_telemetry_dropped_total'),
  };
}
