import type { Ending } from './observation.ts';

/** What was seen of one target at one scrape. */
export interface Sighting {
  /** `service.instance.id`. */
  readonly id: string;
  /** `process_start_time_seconds`. */
  readonly startedAt: number | undefined;
}

/** The scrapes of one process. Times in seconds. */
export interface Run {
  readonly instance: string;
  readonly id: string;
  readonly startedAt: number | null;
  readonly last: number;
  /** null: it lives. */
  readonly ended: { readonly goneBy: number; readonly state: Ending['state'] } | null;
}

/** A target that has not been scraped for so long is not a target any more. */
const LEAST_STALE_SECONDS = 60;
const STALE_SCRAPES = 3;

/**
 * Tells the processes of one target apart. Another one has begun where the id or the time of the start changes.
 * @param downs times at which scraping the target failed
 * @param endingSeconds how long a process may work on after a scrape of it has failed
 */
export function runsOf(
  instance: string,
  sightings: ReadonlyMap<number, Sighting>,
  downs: readonly number[],
  { now, endingSeconds }: { now: number; endingSeconds: number },
): Run[] {
  const times = [...sightings.keys()].sort((a, b) => a - b);
  const runs: { id: string; startedAt: number | undefined; first: number; last: number }[] = [];
  let interval = LEAST_STALE_SECONDS / STALE_SCRAPES;
  for (const time of times) {
    const { id = '', startedAt } = sightings.get(time) ?? {};
    const current = runs.at(-1);
    const restarted = startedAt !== undefined && startedAt !== (current?.startedAt ?? startedAt);
    if (current && current.id === id && !restarted) {
      interval = time - current.last;
      current.last = time;
      current.startedAt ??= startedAt;
    } else runs.push({ id, startedAt, first: time, last: time });
  }
  const staleSeconds = Math.max(LEAST_STALE_SECONDS, STALE_SCRAPES * interval);
  return runs.map(({ id, startedAt, last }, index) => ({
    instance,
    id,
    startedAt: startedAt ?? null,
    last,
    ended: endOf({ last, next: runs[index + 1]?.first, downs, now, endingSeconds, staleSeconds }),
  }));
}

interface Signs {
  readonly last: number;
  /** When another process was first seen in its place. */
  readonly next: number | undefined;
  readonly downs: readonly number[];
  readonly now: number;
  readonly endingSeconds: number;
  readonly staleSeconds: number;
}

function endOf({ last, next, downs, now, endingSeconds, staleSeconds }: Signs): Run['ended'] {
  const down = downs.find((time) => time > last);
  const given = down === undefined ? Number.POSITIVE_INFINITY : down + endingSeconds;
  if (next !== undefined) return { goneBy: Math.min(next, given), state: 'replaced' };
  if (given <= now) return { goneBy: given, state: 'gone' };
  if (down !== undefined) return { goneBy: now, state: 'silent' };
  return now - last > staleSeconds ? { goneBy: last + staleSeconds, state: 'gone' } : null;
}
