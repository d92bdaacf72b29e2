import { readMetrics, seriesIn } from './exposition.ts';
import { type Load, type Measured, measure } from './measure.ts';
import { scenarioCalled } from './options.ts';
import { medianOf, type Row, round } from './table.ts';
import type { Tenants } from './tenants.ts';
import type { Server, Testbed } from './testbed.ts';

/** CPU time of a scrape as a multiple of prom-client's, at most. */
const GOAL = 0.7;

/**
 * Measures the cost of one scraper, in turn with prom-client, which writes the same series on a bare server. Concurrent
 * scrapes share one collection, so several scrapers would look too cheap. Nothing else happens meanwhile, so that the
 * series of both stay as they are.
 */
export async function scrapeAlone(
  testbed: Testbed,
  server: Server,
  tenants: Tenants,
  load: Load,
  rounds: number,
): Promise<Row> {
  const yardstick = await testbed.startPromClient(server);
  const one = (which: Server) =>
    measure(testbed, which, scenarioCalled('scrape'), tenants, { ...load, connections: 1 });
  const turns: { service: Measured; yardstick: Measured }[] = [];
  try {
    // The runtime compiles hot code first.
    for (const each of [yardstick, server]) await one(each);
    for (let turn = 0; turn < rounds; turn++)
      turns.push({ service: await one(server), yardstick: await one(yardstick) });
  } finally {
    await yardstick.end();
  }
  const text = (await readMetrics(server)) ?? '';
  const series = seriesIn(text);
  const figure = (read: (turn: (typeof turns)[number]) => number) => round(medianOf(turns, read));
  return {
    series,
    KiB: Math.round(Buffer.byteLength(text) / 1024),
    'p50 ms': figure(({ service }) => service.p50),
    'p99 ms': figure(({ service }) => service.p99),
    'CPU ms': figure(({ service }) => service.serviceCpu / 1000),
    'CPU ms per 1,000 series': figure(({ service }) => service.serviceCpu / series),
    'prom-client, CPU ms': figure((turn) => turn.yardstick.serviceCpu / 1000),
    'service ÷ prom-client': figure((turn) => turn.service.serviceCpu / turn.yardstick.serviceCpu),
    'at most': GOAL,
  };
}
