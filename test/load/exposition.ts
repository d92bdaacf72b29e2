import type { Server } from './testbed.ts';

/** The text of `/metrics`; null without metrics. */
export async function readMetrics({ url }: Server): Promise<string | null> {
  const response = await fetch(`${url}/metrics`);
  return response.ok ? await response.text() : null;
}

/** The sum over the series whose name and labels begin with `start`. */
export function sumOf(exposition: string, start: string): number {
  return exposition
    .split('\n')
    .filter((line) => line.startsWith(start))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** The number of lines with a value, which is the number of series that a scraper stores. */
export const seriesIn = (exposition: string): number =>
  exposition.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
