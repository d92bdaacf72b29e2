import type { Server } from './world.ts';

/** What `/metrics` says; null without metrics. */
export async function readMetrics({ url }: Server): Promise<string | null> {
  const response = await fetch(`${url}/metrics`);
  return response.ok ? await response.text() : null;
}

/** Sum over the series whose name and labels begin like this. */
export function sumOf(exposition: string, start: string): number {
  return exposition
    .split('\n')
    .filter((line) => line.startsWith(start))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** Lines with a value: what a scraper keeps. */
export const seriesIn = (exposition: string): number =>
  exposition.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
