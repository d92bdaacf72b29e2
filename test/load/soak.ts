/**
 * `npm run soak`: an hour of mixed work at a steady rate on a service with all of its telemetry, and a line of figures every
 * minute. What matters comes last: the memory at the end over that after the warm-up, and whether the metrics still say what
 * the rows say. It ends with 1 when they do not.
 */
import { parseArgs } from 'node:util';
import { reconcile } from '../../src/reconciliation/reconcile.ts';
import { scrapeSource } from '../../src/reconciliation/scrape-source.ts';
import { queryableOf } from '../support/reconcile.ts';
import { memoryOf } from './cpu.ts';
import { drive } from './drive.ts';
import { readMetrics, seriesIn, sumOf } from './exposition.ts';
import { scenarioCalled } from './options.ts';
import { makeParty } from './party.ts';
import { medianOf, printTable, round } from './table.ts';
import { openWorld } from './world.ts';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '60' }, rate: { type: 'string', default: '280' } },
});
const [minutes, rate] = [Number(values.minutes), Number(values.rate)];
const CONNECTIONS = 8;
/** Caches fill and code is compiled in the first tenth. */
const WARM_UP = Math.ceil(minutes / 10);

interface Minute {
  readonly minute: number;
  readonly requests: number;
  readonly 'resident MiB': number;
  readonly 'heap MiB': number;
  readonly series: number;
  readonly 'slowest p99 ms': number;
  readonly 'dropped spans and lines': number;
}

await using undo = new AsyncDisposableStack();
const world = await openWorld();
undo.defer(() => world.end());
const service = await world.start('full');
const party = await makeParty(service, { tokens: 1000, refreshTokens: CONNECTIONS * minutes });
const work = ['verify', 'authorize', 'authorize + exchange', 'refresh'].map((name) =>
  scenarioCalled(name).requests(party),
);

const lived: Minute[] = [];
for (let minute = 1; minute <= minutes; minute++) {
  let slowest = 0;
  for (const requests of work) {
    const load = { connections: CONNECTIONS, seconds: 60 / work.length, rate };
    slowest = Math.max(slowest, (await drive(service.url, requests, load)).p99);
    await readMetrics(service);
  }
  const exposition = (await readMetrics(service)) ?? '';
  lived.push({
    minute,
    requests: sumOf(exposition, 'grantex_http_request_duration_seconds_count'),
    'resident MiB': memoryOf(service.pid),
    'heap MiB': round(sumOf(exposition, 'v8js_memory_heap_used') / 2 ** 20),
    series: seriesIn(exposition),
    'slowest p99 ms': slowest,
    'dropped spans and lines': sumOf(exposition, 'grantex_telemetry_dropped_total'),
  });
  process.stderr.write(`${JSON.stringify(lived.at(-1))}\n`);
}
printTable(
  `${minutes} minutes, ${rate} requests per second`,
  lived.map((one) => ({ ...one })),
);

const settled = lived.slice(WARM_UP);
const part = Math.ceil(settled.length / 4);
const memory = (of: Minute[]) => medianOf(of, (one) => one['resident MiB']);
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
if (differing.length > 0) process.exitCode = 1;
