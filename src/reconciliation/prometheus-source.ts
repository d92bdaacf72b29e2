import type { Sample } from './exposition.ts';
import { countsOf, GAUGES, METRICS, seriesValue } from './lines.ts';
import type { Observation, Process, Source } from './observation.ts';
import type { Prometheus } from './prometheus-api.ts';
import { type Run, runsOf, type Sighting } from './runs.ts';

/** What was read so far is read no more, but for what may have arrived late. */
const OVERLAP_SECONDS = 60;

interface Target {
  readonly sightings: Map<number, Sighting>;
  readonly ages: Map<number, number>;
  readonly downs: Set<number>;
}

/**
 * Counts from what a Prometheus has scraped: of each process its last sample, which is exact, where `increase` guesses what
 * lies between samples. A process that began and ended between two scrapes was never seen.
 * @param from by this machine's clock, ms; what ended before is left out
 */
export function prometheusSource(prometheus: Prometheus, job: string, from: number): Source {
  const targets = new Map<string, Target>();
  /** Of processes that have ended nothing changes any more. */
  const known = new Map<string, Pick<Process, 'counts' | 'gauges'>>();
  let readUntil: number | null = null;
  const matcher = `job=${JSON.stringify(job)}`;

  const targetAt = (instance = ''): Target => {
    const target = targets.get(instance) ?? { sightings: new Map(), ages: new Map(), downs: new Set() };
    targets.set(instance, target);
    return target;
  };

  async function read(since: number, now: number): Promise<void> {
    const [infos, ages, ups] = await Promise.all(
      ['target_info', 'nodejs_eventloop_time_seconds_total', 'up'].map((name) =>
        prometheus.raw(`${name}{${matcher}}`, since, now),
      ),
    );
    const sums = new Map<Target, Map<number, number>>();
    for (const { labels, samples } of ages ?? []) {
      const target = targetAt(labels['instance']);
      const sum = sums.get(target) ?? new Map<number, number>();
      sums.set(target, sum);
      for (const [time, value] of samples) sum.set(time, (sum.get(time) ?? 0) + value);
    }
    for (const [target, sum] of sums) for (const [time, age] of sum) target.ages.set(time, age);
    for (const { labels, samples } of infos ?? []) {
      const id = labels['service_instance_id'];
      // Prometheus also has a target_info for the span metrics that a collector sends. That one is not a target.
      if (id === undefined) continue;
      const { sightings, ages: of } = targetAt(labels['instance']);
      for (const [time] of samples) sightings.set(time, { id, age: of.get(time) });
    }
    for (const { labels, samples } of ups ?? []) {
      const { downs } = targetAt(labels['instance']);
      for (const [time, value] of samples) if (value === 0) downs.add(time);
    }
  }

  async function valuesOf({ instance, id, last, goneBy }: Run): Promise<Pick<Process, 'counts' | 'gauges'>> {
    const name = `${instance} ${id}`;
    const cached = known.get(name);
    if (cached) return cached;
    const selector = `{__name__=~"${METRICS.join('|')}",${matcher},instance=${JSON.stringify(instance)}}`;
    const samples = (await prometheus.at(selector, last)).map(
      ({ labels, value }): Sample => ({ name: labels['__name__'] ?? '', labels, value }),
    );
    const gauges = goneBy !== null ? [] : GAUGES.map((line) => [line.what, seriesValue(samples, line)]);
    const values = { counts: countsOf(samples, instance), gauges: Object.fromEntries(gauges) };
    if (goneBy !== null) known.set(name, values);
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
          now,
        ),
      );
      if (runs.length === 0) throw new Error(`no target of the job "${job}" was scraped in this time`);
      const here = (time: number) => (time - ahead) * 1000;
      const processes: Process[] = [];
      for (const run of runs)
        processes.push({
          id: run.id,
          instance: run.instance,
          ...(await valuesOf(run)),
          ended:
            run.goneBy === null
              ? null
              : { lastScrape: new Date(here(run.last)), goneBy: new Date(here(run.goneBy)) },
        });
      const living = runs.filter(({ goneBy }) => goneBy === null).map(({ last }) => here(last));
      return { processes, asOf: living.length > 0 ? Math.min(...living) : Date.now() };
    },
  };
}
