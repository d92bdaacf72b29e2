import { readMetrics, seriesIn } from './exposition.ts';
import { measure } from './measure.ts';
import { scenarioCalled } from './options.ts';
import type { Party } from './party.ts';
import { type Row, round } from './table.ts';
import type { Server, World } from './world.ts';

/**
 * What one scraper costs: scrapes that arrive together share one collection, so that many at once would look cheaper.
 */
export async function scrapeAlone(world: World, server: Server, party: Party, seconds: number): Promise<Row> {
  const { serviceCpu, p50, p99 } = await measure(world, server, scenarioCalled('scrape'), party, {
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
