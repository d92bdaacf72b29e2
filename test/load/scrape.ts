import { readMetrics, seriesIn } from './exposition.ts';
import { measure } from './measure.ts';
import { scenarioCalled } from './options.ts';
import { type Row, round } from './table.ts';
import type { Tenants } from './tenants.ts';
import type { Server, Testbed } from './testbed.ts';

/**
 * Measures the cost of one scraper. Concurrent scrapes share one collection, so several scrapers would look too cheap.
 */
export async function scrapeAlone(
  testbed: Testbed,
  server: Server,
  tenants: Tenants,
  seconds: number,
): Promise<Row> {
  const { serviceCpu, p50, p99 } = await measure(testbed, server, scenarioCalled('scrape'), tenants, {
    connections: 1,
    seconds,
  });
  const text = (await readMetrics(server)) ?? '';
  const series = seriesIn(text);
  return {
    series,
    KiB: Math.round(Buffer.byteLength(text) / 1024),
    'p50 ms': round(p50),
    'p99 ms': round(p99),
    'CPU ms': round(serviceCpu / 1000),
    'CPU ms per 1,000 series': round(serviceCpu / series),
  };
}
