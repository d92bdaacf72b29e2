/**
 * `npm run bench`: measures requests per second, latency, CPU and database work of each scenario, in turn with full
 * telemetry, sampled telemetry, and none. Then it measures different numbers of connections, growth of the database,
 * memory, and the scrape alone. It prints tables and writes the figures as JSON to `test/load/results`. It takes some
 * eight minutes.
 *
 * `--rows 10000000` does something else: it compares a database with that many grants with one of 10,000.
 *
 * `options.ts` lists the options. `--profile <directory>` writes a CPU profile of the service there. `--smoke` is a
 * short run for CI. It proves that the benchmark works; its figures mean nothing.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { dirname } from 'node:path';
import { machineTime, memoryOf } from './cpu.ts';
import { readMetrics, sumOf } from './exposition.ts';
import { figures, inUnits, medianFigures } from './figures.ts';
import { growTo } from './grow.ts';

import { type Measured, measure } from './measure.ts';
import { measureDetection } from './measure-detection.ts';
import { readOptions, scenarioCalled, WORK } from './options.ts';
import { measureRows } from './rows/measure-rows.ts';
import type { Scenario } from './scenarios.ts';
import { scrapeAlone } from './scrape.ts';
import { signatureCpu } from './signature.ts';
import { medianOf, printTable, type Row, round } from './table.ts';
import { addAgents, makeTenants, type Tenants } from './tenants.ts';
import { openTestbed, type StartedServer, VARIANTS, type Variant } from './testbed.ts';

const options = readOptions();
const { load, rounds } = options;
/** CPU times of the bare server in microseconds per request, measured throughout the run. */
const bare: number[] = [];

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
  const services = {} as Record<Variant, StartedServer>;
  for (const variant of VARIANTS)
    services[variant] = await testbed.start(variant, variant === 'full' ? options.profile : undefined);
  const tenants = await makeTenants(services.full, {
    tokens: options.tokens,
    refreshTokens: refreshTokensNeeded(),
  });
  await measure(testbed, testbed.bare, scenarioCalled('health'), tenants, {
    ...load,
    seconds: options.warmUpSeconds,
  });
  const compared = options.scenarios.length > 0;
  for (const variant of compared ? VARIANTS : (['full'] as const))
    for (const scenario of WORK)
      await measure(testbed, services[variant], scenario, tenants, {
        ...load,
        seconds: options.warmUpSeconds,
      });

  const main: Row[] = [];
  for (const scenario of options.scenarios) main.push(await compare(services, scenario, tenants));
  const byWidth = await measureWidths(services.full, tenants);
  const bySize = await measureGrowth(services.full, tenants);
  const largest = options.sizes.at(-1);
  const detections =
    largest === undefined ? [] : [await measureDetection(testbed.sql, services.full, largest)];
  const memory: Row[] = [];
  for (const variant of VARIANTS) memory.push(await serviceRow(variant, services[variant]));
  const scrapes: Row[] = [];
  if (options.agents > 0) {
    scrapes.push(await scrapeAlone(testbed, services.full, tenants, load.seconds));
    await addAgents(services.full, options.agents);
    scrapes.push(await scrapeAlone(testbed, services.full, tenants, load.seconds));
  }

  await runRows();

  const after = machineTime();
  const stolen = (after.stolen - before.stolen) / (after.total - before.total);
  const unit = bare.length > 0 ? medianOf(bare, (one) => one) : null;
  const tables = {
    scenarios: inUnits(main, unit),
    widths: inUnits(byWidth, unit),
    growth: inUnits(bySize, unit),
    anomalies: detections,
    services: memory,
    scrapes,
  };
  printTable(`Scenarios, ${load.connections} connections`, tables.scenarios);
  printTable('Widths of concurrency, telemetry full', tables.widths);
  printTable(`Growth of the database, ${load.connections} connections, telemetry full`, tables.growth);
  printTable('A look for anomalies of one developer', detections);
  printTable('Services', memory);
  printTable('One scraper, without and with series of many agents', scrapes);
  printTable('Machine', [
    { ...machine, 'bare µs': unit === null ? '' : round(unit), 'steal %': round(stolen * 100) },
  ]);
  if (stolen > 0.05)
    process.stdout.write('\nMore than 5 % of the machine was taken away meanwhile: run it again.\n');
  const results = {
    machine: { ...machine, bare, stolen },
    load: { ...load, rounds },
    ...tables,
  };
  await writeResults(options.json, results);
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

/** Shows what runs now. The tables come only at the end, because their unit is the result of the whole run. */
function progress(now: string): void {
  process.stderr.write(`${now}\n`);
}

/** The number of refresh tokens that the run needs: one for each connection that refreshes. */
function refreshTokensNeeded(): number {
  const wide = options.widths.reduce((sum, width) => sum + width, 0);
  return wide + load.connections * (VARIANTS.length * (rounds + 1) + options.sizes.length);
}

/** The bare server varies more than the compared services, so the unit is the median over the whole run. */
async function measureBare(tenants: Tenants): Promise<void> {
  const bareLoad = { ...load, seconds: options.bareSeconds };
  bare.push((await measure(testbed, testbed.bare, scenarioCalled('health'), tenants, bareLoad)).serviceCpu);
}

/**
 * Measures every variant and the bare server in turn, several times, so that changes on the machine affect all of them.
 * Ratios compare measurements of the same turn.
 */
async function compare(
  services: Record<Variant, StartedServer>,
  scenario: Scenario,
  tenants: Tenants,
): Promise<Row> {
  const turns: Record<Variant, Measured | null>[] = [];
  progress(scenario.name);
  for (let turn = 0; turn < rounds; turn++) {
    const one = (variant: Variant) => measure(testbed, services[variant], scenario, tenants, load);
    await measureBare(tenants);
    turns.push({
      full: await one('full'),
      tenth: await one('tenth'),
      // Without metrics there is nothing to scrape.
      off: scenario.name === 'scrape' ? null : await one('off'),
    });
  }
  const ratio = (over: Variant, under: Variant) =>
    round(medianOf(turns, (turn) => (turn[over]?.serviceCpu ?? Number.NaN) / (turn[under]?.serviceCpu ?? 0)));
  const full = medianFigures(turns.flatMap((turn) => turn.full ?? []));
  return {
    scenario: scenario.name,
    ...figures(full),
    target: scenario.target ?? '',
    ...(scenario.name !== 'scrape' && {
      'full/off': ratio('full', 'off'),
      'tenth/off': ratio('tenth', 'off'),
    }),
  };
}

async function measureWidths(server: StartedServer, tenants: Tenants): Promise<Row[]> {
  const rows: Row[] = [];
  for (const connections of options.widths) {
    progress(`${connections} connections`);
    await measureBare(tenants);
    for (const scenario of WORK) {
      const measured = await measure(testbed, server, scenario, tenants, { ...load, connections });
      rows.push({ connections, scenario: scenario.name, ...figures(measured) });
    }
  }
  return rows;
}

async function measureGrowth(server: StartedServer, tenants: Tenants): Promise<Row[]> {
  const rows: Row[] = [];
  for (const grants of options.sizes) {
    progress(`${grants} grants`);
    await growTo(testbed.sql, grants);
    await measureBare(tenants);
    for (const scenario of [...WORK, scenarioCalled('scrape')]) {
      const measured = await measure(testbed, server, scenario, tenants, load);
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
