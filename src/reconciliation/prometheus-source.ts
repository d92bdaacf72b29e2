import type { Sample } from './exposition.ts';
import { countsOf, GAUGES, METRICS, seriesValue } from './lines.ts';
import type { Observation, Process, Source } from './observation.ts';
import type { Prometheus } from './prometheus-api.ts';
import { type Run, runsOf, type Sighting } from './runs.ts';

/** What was read so far is read no more, but for what may have arrived late. */
const OVERLAP_SECONDS = 60;
/** SHUTDOWN_TIMEOUT_MS, unless the caller knows better. */
const ENDING_MS = 10_000;

interface Target {
  readonly sightings: Map<number, Sighting>;
  readonly starts: Map<number, number>;
  readonly downs: Set<number>;
}

/**
 * Counts from what a Prometheus has scraped: of each process its last sample, which is exact, where `increase` guesses what
 * lies between samples. A process that began and ended between two scrapes was never seen.
 * @param from by this machine's clock, ms; what ended before is left out
 * @param endingMs how long a process may work on after a scrape of it has failed
 */
export function prometheusSource(
  prometheus: Prometheus,
  job: string,
  from: number,
  endingMs: number = ENDING_MS,
): Source {
  const targets = new Map<string, Target>();
  /** Of a process that has ended nothing changes any more, unless it is scraped again. */
  const known = new Map<string, Pick<Process, 'counts' | 'gauges'>>();
  let readUntil: number | null = null;
  const matcher = `job=${JSON.stringify(job)}`;

  const targetAt = (instance = ''): Target => {
    const target = targets.get(instance) ?? { sightings: new Map(), starts: new Map(), downs: new Set() };
    targets.set(instance, target);
    return target;
  };

  async function read(since: number, now: number): Promise<void> {
    const [infos, starts, ups] = await Promise.all(
      ['target_info', 'process_start_time_seconds', 'up'].map((name) =>
        prometheus.raw(`${name}{${matcher}}`, since, now),
      ),
    );
    for (const { labels, samples } of starts ?? []) {
      const target = targetAt(labels['instance']);
      for (const [time, value] of samples) target.starts.set(time, value);
    }
    for (const { labels, samples } of infos ?? []) {
      const id = labels['service_instance_id'];
      // Prometheus also has a target_info for the span metrics that a collector sends. That one is not a target.
      if (id === undefined) continue;
      const { sightings, starts: of } = targetAt(labels['instance']);
      for (const [time] of samples) sightings.set(time, { id, startedAt: of.get(time) });
    }
    for (const { labels, samples } of ups ?? []) {
      const { downs } = targetAt(labels['instance']);
      for (const [time, value] of samples) if (value === 0) downs.add(time);
    }
  }

  async function valuesOf({ instance, last, ended }: Run): Promise<Pick<Process, 'counts' | 'gauges'>> {
    const name = `${instance} ${last}`;
    const cached = known.get(name);
    if (cached) return cached;
    const selector = `{__name__=~"${METRICS.join('|')}",${matcher},instance=${JSON.stringify(instance)}}`;
    const samples = (await prometheus.at(selector, last)).map(
      ({ labels, value }): Sample => ({ name: labels['__name__'] ?? '', labels, value }),
    );
    const gauges = ended ? [] : GAUGES.map((line) => [line.what, seriesValue(samples, line)]);
    const values = { counts: countsOf(samples, instance), gauges: Object.fromEntries(gauges) };
    if (ended) known.set(name, values);
    return values;
  }

  return {
    async observe(): Promise<Observation> {
      const asked = Date.now();
      const now = await prometheus.time();
      /** How far the clock of Prometheus is ahead of this one. */
      const ahead = now - (asked + Date.now()) / 2000;
      const begin = from / 1000 + ahead;
      await read(readUntil === null ? begin : Math.max(begin, readUntil - OVERLAP_SECONDS), now);
      readUntil = now;
      const runs = [...targets].flatMap(([instance, { sightings, downs }]) =>
        runsOf(
          instance,
          sightings,
          [...downs].sort((a, b) => a - b),
          { now, endingSeconds: endingMs / 1000 },
        ),
      );
      if (runs.length === 0) throw new Error(`no target of the job "${job}" was scraped in this time`);
      const here = (time: number) => (time - ahead) * 1000;
      const processes: Process[] = [];
      for (const run of runs)
        processes.push({
          id: run.id,
          startedAt: run.startedAt,
          instance: run.instance,
          ...(await valuesOf(run)),
          ended: run.ended && {
            lastScrape: new Date(here(run.last)),
            goneBy: new Date(here(run.ended.goneBy)),
            state: run.ended.state,
          },
        });
      const living = runs.filter(({ ended }) => ended === null).map(({ last }) => here(last));
      return { processes, asOf: living.length > 0 ? Math.min(...living) : Date.now() };
    },
  };
}
