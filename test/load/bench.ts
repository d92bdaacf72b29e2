/**
 * `npm run bench`: requests per second, latency, CPU and database work of each scenario, with telemetry full, sampled and
 * off in turn; then growth of concurrency and of the database. Prints tables and writes the figures as JSON.
 * `--profile <directory>` leaves a CPU profile of the service there. Shortened by `--smoke`, which proves only that it works.
 */
import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { machineTime, memoryOf } from './cpu.ts';
import { type Load, type Measured, measure } from './measure.ts';
import { type Party, SCENARIOS, type Scenario } from './scenarios.ts';
import { medianOf, printTable, round } from './table.ts';
import { growTo, makeParty, openWorld, type Server, type Variant, type World } from './world.ts';

const { values: options } = parseArgs({
  options: {
    smoke: { type: 'boolean', default: false },
    seconds: { type: 'string' },
    rounds: { type: 'string' },
    connections: { type: 'string', default: '16' },
    scenarios: { type: 'string' },
    widths: { type: 'string' },
    grants: { type: 'string' },
    json: { type: 'string' },
    profile: { type: 'string' },
  },
});
const seconds = Number(options.seconds ?? (options.smoke ? 1 : 4));
const rounds = Number(options.rounds ?? (options.smoke ? 1 : 3));
const numbers = (text: string) => text.split(',').filter(Boolean).map(Number);
const widths = numbers(options.widths ?? (options.smoke ? '4' : '1,16,64,256'));
const sizes = numbers(options.grants ?? (options.smoke ? '1000' : '1000,100000,1000000'));
const load: Load = { connections: Number(options.connections), seconds };
const chosen = options.scenarios?.split(',');
const scenarios = SCENARIOS.filter(({ name }) => chosen?.includes(name) ?? true);
const VARIANTS: readonly Variant[] = ['full', 'tenth', 'off'];
/** The code is compiled as it runs hot: unmeasured load before the first figure. */
const WARM_UP_SECONDS = options.smoke ? 1 : 3;

type Row = Record<string, string | number>;
type Services = Record<Variant, Server & { startMs: number }>;

const world = await openWorld();
try {
  await run(world);
} finally {
  await world.end();
}

async function run({ sql }: World): Promise<void> {
  const beforeRun = machineTime();
  const services = {} as Services;
  for (const variant of VARIANTS)
    services[variant] = await world.start(variant, variant === 'full' ? options.profile : undefined);
  const memoryAfterStart = memoryOf(services.full.pid);
  const chains = load.connections * (scenarios.length > 0 ? rounds * 3 + sizes.length + 4 : 0);
  const party = await makeParty(services.full, { tokens: options.smoke ? 50 : 1000, refreshTokens: chains });
  await warmUp(services, party);

  const main: Row[] = [];
  for (const scenario of scenarios) main.push(await compare(services, scenario, party));
  printTable(`Scenarios, ${load.connections} connections`, main);

  const byWidth: Row[] = [];
  for (const connections of widths)
    for (const name of ['verify', 'authorize'])
      byWidth.push({
        connections,
        scenario: name,
        ...figures(await measure(world, services.full, find(name), party, { connections, seconds })),
      });
  printTable('Widths of concurrency, telemetry full', byWidth);

  const bySize: Row[] = [];
  for (const grants of sizes) {
    await growTo(sql, grants);
    for (const name of ['verify', 'authorize + exchange', 'refresh', 'scrape'])
      bySize.push({
        grants,
        scenario: name,
        ...figures(await measure(world, services.full, find(name), party, load)),
      });
  }
  printTable('Growth of the database, telemetry full', bySize);

  const afterRun = machineTime();
  const stolen = (afterRun.stolen - beforeRun.stolen) / (afterRun.total - beforeRun.total);
  const service = {
    'start ms': round(services.full.startMs),
    'MiB after start': memoryAfterStart,
    'MiB after the run': memoryOf(services.full.pid),
    'steal %': round(stolen * 100),
  };
  printTable('The service with telemetry full', [service]);
  if (stolen > 0.05)
    process.stdout.write('More than 5 % of the machine was taken away meanwhile: run it again.\n');
  if (options.json !== undefined) {
    const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
    const results = {
      machine,
      load: { ...load, rounds },
      scenarios: main,
      widths: byWidth,
      growth: bySize,
      service,
    };
    await writeFile(options.json, `${JSON.stringify(results, null, 2)}\n`);
  }
}

function find(name: string): Scenario {
  const found = SCENARIOS.find((scenario) => scenario.name === name);
  if (!found) throw new Error(`no scenario ${name}`);
  return found;
}

async function warmUp(services: Services, party: Party): Promise<void> {
  for (const variant of VARIANTS)
    for (const name of ['verify', 'authorize + exchange'])
      await measure(world, services[variant], find(name), party, { ...load, seconds: WARM_UP_SECONDS });
}

/** Every variant and the bare server in turn, several times, so that what changes on the machine meets all of them. */
async function compare(services: Services, scenario: Scenario, party: Party): Promise<Row> {
  const bare: Measured[] = [];
  const measured: Record<Variant, Measured[]> = { full: [], tenth: [], off: [] };
  for (let turn = 0; turn < rounds; turn++) {
    bare.push(
      await measure(world, world.bare, find('health'), party, { ...load, seconds: Math.min(seconds, 2) }),
    );
    // With metrics off there is nothing to scrape.
    for (const variant of VARIANTS)
      if (scenario.name !== 'scrape' || variant !== 'off')
        measured[variant].push(await measure(world, services[variant], scenario, party, load));
  }
  const unit = medianOf(bare, ({ serviceCpu }) => serviceCpu);
  const cpu = (variant: Variant) => medianOf(measured[variant], ({ serviceCpu }) => serviceCpu);
  return {
    scenario: scenario.name,
    ...figures(medianFigures(measured.full)),
    'bare µs': round(unit),
    units: round(cpu('full') / unit),
    target: scenario.target ?? '',
    ...(measured.off.length > 0 && {
      'units off': round(cpu('off') / unit),
      'full/off': round(cpu('full') / cpu('off')),
      'tenth/off': round(cpu('tenth') / cpu('off')),
    }),
  };
}

function medianFigures(all: readonly Measured[]): Measured {
  const statements = all.flatMap((one) => one.statements ?? []);
  return {
    perSecond: medianOf(all, (one) => one.perSecond),
    p50: medianOf(all, (one) => one.p50),
    p99: medianOf(all, (one) => one.p99),
    serviceCpu: medianOf(all, (one) => one.serviceCpu),
    databaseCpu: medianOf(all, (one) => one.databaseCpu),
    statements: statements.length > 0 ? medianOf(statements, (one) => one) : null,
  };
}

function figures(measured: Measured): Row {
  return {
    'per s': Math.round(measured.perSecond),
    'p50 ms': round(measured.p50),
    'p99 ms': round(measured.p99),
    'CPU µs': round(measured.serviceCpu),
    'db µs': round(measured.databaseCpu),
    statements: measured.statements === null ? '' : round(measured.statements),
  };
}
