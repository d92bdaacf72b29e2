/**
 * `npm run soak`: an hour of mixed work at a steady rate on a service with all of its telemetry, and a line of figures every
 * minute. What matters comes last: the memory at the end over that after the warm-up, which is for a reader to judge, and
 * whether the metrics still say what the rows say. It ends with 1 when they do not.
 */
import { parseArgs } from 'node:util';
import { reconcile } from '../../src/reconciliation/reconcile.ts';
import { scrapeSource } from '../../src/reconciliation/scrape-source.ts';
import { queryableOf } from '../support/reconcile.ts';
import { memoryOf } from './cpu.ts';
import { drive } from './drive.ts';
import { readMetrics, seriesIn, sumOf } from './exposition.ts';
import { WORK } from './options.ts';
import { makeParty } from './party.ts';
import { medianOf, printTable, round } from './table.ts';
import { openWorld } from './world.ts';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '60' }, rate: { type: 'string', default: '280' } },
});
const [minutes, rate] = [Number(values.minutes), Number(values.rate)];
if (!(minutes > 0 && rate > 0)) throw new Error('--minutes and --rate are numbers above 0');
const CONNECTIONS = 8;
/** Of a minute each, or of what there is of one. */
const ROUNDS = Math.ceil(minutes);
const ROUND_SECONDS = (60 * minutes) / ROUNDS;
/** Caches fill and code is compiled in the first tenth. */
const WARM_UP = Math.floor(ROUNDS / 10);

await using undo = new AsyncDisposableStack();
const world = await openWorld();
undo.defer(() => world.end());
const service = await world.start('full');
const party = await makeParty(service, { tokens: 1000, refreshTokens: CONNECTIONS * ROUNDS });
const work = WORK.map((scenario) => scenario.requests(party));

/** Works for one round, and says what it left. */
async function live(minute: number) {
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

type Lived = Awaited<ReturnType<typeof live>>;
const lived: Lived[] = [];
for (let minute = 1; minute <= ROUNDS; minute++) {
  lived.push(await live(minute));
  process.stderr.write(`${JSON.stringify(lived.at(-1))}\n`);
}
printTable(`${minutes} minutes, ${rate} requests per second`, lived);

const settled = lived.slice(WARM_UP);
const part = Math.ceil(settled.length / 4);
const memory = (of: readonly Lived[]) => medianOf(of, (one) => one['resident MiB']);
const [first, last] = [memory(settled.slice(0, part)), memory(settled.slice(-part))];
const { findings } = await reconcile({
  db: queryableOf(world),
  source: scrapeSource([`${service.url}/metrics`], null),
  patienceMs: 20_000,
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
