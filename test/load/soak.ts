/**
 * `npm run soak`: an hour of mixed work at a steady rate on a service with full telemetry, with a line of figures every
 * minute. The important results come last. One is the memory at the end, relative to that after the warm-up, for a
 * reader to judge. The other is whether the metrics still agree with the rows. The exit code is 1 when they do not.
 */
import { parseArgs } from 'node:util';
import { reconcile } from '../../src/reconciliation/reconcile.ts';
import { scrapeSource } from '../../src/reconciliation/scrape-source.ts';
import { queryableOf } from '../support/reconcile.ts';
import { memoryOf } from './cpu.ts';
import { drive } from './drive.ts';
import { readMetrics, seriesIn, sumOf } from './exposition.ts';
import { WORK } from './options.ts';
import { medianOf, printTable, round } from './table.ts';
import { makeTenants } from './tenants.ts';
import { openTestbed } from './testbed.ts';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '60' }, rate: { type: 'string', default: '280' } },
});
const [minutes, rate] = [Number(values.minutes), Number(values.rate)];
if (!(minutes > 0 && rate > 0)) throw new Error('--minutes and --rate are numbers above 0');
const CONNECTIONS = 8;
/** Each round takes a minute, or less when the run is no whole number of minutes. */
const ROUNDS = Math.ceil(minutes);
const ROUND_SECONDS = (60 * minutes) / ROUNDS;
/** In the first tenth, caches fill and the runtime compiles code. */
const WARM_UP = Math.floor(ROUNDS / 10);

await using undo = new AsyncDisposableStack();
const testbed = await openTestbed();
undo.defer(() => testbed.end());
const service = await testbed.start('full');
const tenants = await makeTenants(service, { tokens: 1000, refreshTokens: CONNECTIONS * ROUNDS });
const work = WORK.map((scenario) => scenario.requests(tenants));

/** Works for one round. @returns the figures after it */
async function runRound(minute: number) {
  let slowest = 0;
  for (const requests of work) {
    const load = { connections: CONNECTIONS, seconds: ROUND_SECONDS / work.length, rate };
    slowest = Math.max(slowest, (await drive(service.url, requests, load)).p99);
    await readMetrics(service);
  }
  const exposition = (await readMetrics(service)) ?? '';
  return {
    minute,
    requests: sumOf(exposition, 'grantex_http_request_duration_seconds_count'),
    'resident MiB': memoryOf(service.pid),
    'heap MiB': round(sumOf(exposition, 'v8js_memory_heap_used') / 2 ** 20),
    series: seriesIn(exposition),
    'slowest p99 ms': round(slowest),
    'dropped spans and lines': sumOf(exposition, 'grantex_telemetry_dropped_total'),
  };
}

type Round = Awaited<ReturnType<typeof runRound>>;
const rounds: Round[] = [];
for (let minute = 1; minute <= ROUNDS; minute++) {
  rounds.push(await runRound(minute));
  process.stderr.write(`${JSON.stringify(rounds.at(-1))}\n`);
}
printTable(`${minutes} minutes, ${rate} requests per second`, rounds);

const settled = rounds.slice(WARM_UP);
const part = Math.ceil(settled.length / 4);
const memory = (of: readonly Round[]) => medianOf(of, (one) => one['resident MiB']);
const [first, last] = [memory(settled.slice(0, part)), memory(settled.slice(-part))];
const { findings } = await reconcile({
  db: queryableOf(testbed),
  source: scrapeSource([`${service.url}/metrics`], null),
  patienceMs: 20_000,
  fullCount: true,
  since: null,
});
const differing = findings.filter(({ verdict }) => verdict !== 'equal');
printTable('The whole', [
  {
    'MiB after the warm-up': first,
    'at the end': last,
    ratio: round(last / first),
    'numbers reconciled': findings.length,
    'that differ': differing.length,
  },
]);
if (findings.length === 0 || differing.length > 0) process.exitCode = 1;
