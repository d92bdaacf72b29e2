/**
 * `npm run bench`: requests per second, latency, CPU and database work of each scenario, with telemetry full, sampled and
 * off in turn; then widths of concurrency, growth of the database, memory, and the scrape by itself. Prints tables, and
 * leaves the figures as JSON in `test/load/results`. Takes some eight minutes.
 *
 * `options.ts` has what can be chosen; `--profile <directory>` leaves a CPU profile of the service there. `--smoke` is
 * shortened, for CI: it proves that the benchmark works, and no figure of it means anything.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { dirname } from 'node:path';
import { machineTime, memoryOf } from './cpu.ts';
import { readMetrics, sumOf } from './exposition.ts';
import { figures, inUnits, medianFigures } from './figures.ts';
import { growTo } from './grow.ts';
import { lookForAnomalies } from './look.ts';
import { type Measured, measure } from './measure.ts';
import { readOptions, scenarioCalled, WORK } from './options.ts';
import { addAgents, makeParty, type Party } from './party.ts';
import type { Scenario } from './scenarios.ts';
import { scrapeAlone } from './scrape.ts';
import { signatureCpu } from './signature.ts';
import { medianOf, printTable, type Row, round } from './table.ts';
import { openWorld, type StartedServer, VARIANTS, type Variant } from './world.ts';

const options = readOptions();
const { load, rounds } = options;
/** CPU times of the bare server, measured throughout the run: microseconds a request. */
const bare: number[] = [];

const world = await openWorld();
try {
  await run();
} finally {
  await world.end();
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
    services[variant] = await world.start(variant, variant === 'full' ? options.profile : undefined);
  const party = await makeParty(services.full, { tokens: options.tokens, refreshTokens: chains() });
  await measure(world, world.bare, scenarioCalled('health'), party, {
    ...load,
    seconds: options.warmUpSeconds,
  });
  const compared = options.scenarios.length > 0;
  for (const variant of compared ? VARIANTS : (['full'] as const))
    for (const scenario of WORK)
      await measure(world, services[variant], scenario, party, { ...load, seconds: options.warmUpSeconds });

  const main: Row[] = [];
  for (const scenario of options.scenarios) main.push(await compare(services, scenario, party));
  const byWidth = await widen(services.full, party);
  const bySize = await grow(services.full, party);
  const largest = options.sizes.at(-1);
  const looks = largest === undefined ? [] : [await lookForAnomalies(world.sql, services.full, largest)];
  const memory: Row[] = [];
  for (const variant of VARIANTS) memory.push(await lifeOf(variant, services[variant]));
  const scrapes: Row[] = [];
  if (options.agents > 0) {
    scrapes.push(await scrapeAlone(world, services.full, party, load.seconds));
    await addAgents(services.full, options.agents);
    scrapes.push(await scrapeAlone(world, services.full, party, load.seconds));
  }

  const after = machineTime();
  const stolen = (after.stolen - before.stolen) / (after.total - before.total);
  const unit = bare.length > 0 ? medianOf(bare, (one) => one) : null;
  const tables = {
    scenarios: inUnits(main, unit),
    widths: inUnits(byWidth, unit),
    growth: inUnits(bySize, unit),
    anomalies: looks,
    services: memory,
    scrapes,
  };
  printTable(`Scenarios, ${load.connections} connections`, tables.scenarios);
  printTable('Widths of concurrency, telemetry full', tables.widths);
  printTable(`Growth of the database, ${load.connections} connections, telemetry full`, tables.growth);
  printTable('A look for anomalies of one developer', looks);
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
  await mkdir(dirname(options.json), { recursive: true });
  await writeFile(options.json, `${JSON.stringify(results, null, 2)}\n`);
  process.stdout.write(`\nFigures as JSON: ${options.json}\n`);
}

/** The tables come last, because the unit is known last: until then somebody may be waiting. */
function progress(now: string): void {
  process.stderr.write(`${now}\n`);
}

/** Refresh tokens that the run uses up: one for each connection that refreshes. */
function chains(): number {
  const wide = options.widths.reduce((sum, width) => sum + width, 0);
  return wide + load.connections * (VARIANTS.length * (rounds + 1) + options.sizes.length);
}

/** The bare server varies more than what is compared with it, so the unit is the middle of the whole run. */
async function measureBare(party: Party): Promise<void> {
  const bareLoad = { ...load, seconds: options.bareSeconds };
  bare.push((await measure(world, world.bare, scenarioCalled('health'), party, bareLoad)).serviceCpu);
}

/**
 * Every variant and the bare server in turn, several times, so that what changes on the machine meets all of them. Ratios
 * are taken within a turn.
 */
async function compare(
  services: Record<Variant, StartedServer>,
  scenario: Scenario,
  party: Party,
): Promise<Row> {
  const turns: Record<Variant, Measured | null>[] = [];
  progress(scenario.name);
  for (let turn = 0; turn < rounds; turn++) {
    const one = (variant: Variant) => measure(world, services[variant], scenario, party, load);
    await measureBare(party);
    turns.push({
      full: await one('full'),
      tenth: await one('tenth'),
      // With metrics off there is nothing to scrape.
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

async function widen(server: StartedServer, party: Party): Promise<Row[]> {
  const rows: Row[] = [];
  for (const connections of options.widths) {
    progress(`${connections} connections`);
    await measureBare(party);
    for (const scenario of WORK) {
      const measured = await measure(world, server, scenario, party, { ...load, connections });
      rows.push({ connections, scenario: scenario.name, ...figures(measured) });
    }
  }
  return rows;
}

async function grow(server: StartedServer, party: Party): Promise<Row[]> {
  const rows: Row[] = [];
  for (const grants of options.sizes) {
    progress(`${grants} grants`);
    await growTo(world.sql, grants);
    await measureBare(party);
    for (const scenario of [...WORK, scenarioCalled('scrape')]) {
      const measured = await measure(world, server, scenario, party, load);
      rows.push({ grants, scenario: scenario.name, ...figures(measured) });
    }
  }
  return rows;
}

/** What became of a service over the run. Spans that were dropped would make telemetry look cheaper than it is. */
async function lifeOf(variant: Variant, server: StartedServer): Promise<Row> {
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
