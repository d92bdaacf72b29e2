import { parseSamples } from './exposition.ts';
import { processOf } from './leave-counts.ts';
import { countsOf, GAUGES, seriesValue } from './lines.ts';
import { isSame, type Process, type Source } from './observation.ts';

const TIMEOUT_MS = 10_000;

/**
 * Reads `/metrics` of every replica itself. Of a process that is gone it knows nothing: for that, a snapshot or a Prometheus
 * is needed.
 * @param urls of `/metrics`, one for each replica
 */
export const scrapeSource = (urls: readonly string[], apiKey: string | null): Source => ({
  async observe() {
    const asOf = Date.now();
    const processes = await Promise.all(urls.map((url) => scrape(url, apiKey)));
    const twice = processes.findIndex(
      (one, index) => processes.findIndex((other) => isSame(one, other)) < index,
    );
    if (twice >= 0) throw new Error(`${urls[twice]} is a process that another of the URLs is, too`);
    return { processes, asOf };
  },
});

async function scrape(url: string, apiKey: string | null): Promise<Process> {
  const text = await fetchText(url, apiKey);
  const samples = parseSamples(text);
  const { id, startedAt } = processOf(samples);
  if (id === undefined) throw new Error(`${url} has no target_info with service_instance_id`);
  const gauges = Object.fromEntries(GAUGES.map((line) => [line.what, seriesValue(samples, line)]));
  return { id, startedAt, instance: new URL(url).host, counts: countsOf(samples, url), gauges, ended: null };
}

async function fetchText(url: string, apiKey: string | null): Promise<string> {
  const headers = apiKey === null ? {} : { authorization: `Bearer ${apiKey}` };
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) }).catch((cause) => {
    throw new Error(`${url} does not answer`, { cause });
  });
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
  return response.text();
}
