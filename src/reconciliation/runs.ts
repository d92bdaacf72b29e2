/** What was seen of one target at one scrape. */
export interface Sighting {
  /** `service.instance.id`. */
  readonly id: string;
  /** How long the event loop has run, in seconds: only falls where another process has begun. */
  readonly age: number | undefined;
}

/** The scrapes of one process. Times in seconds. */
export interface Run {
  readonly instance: string;
  readonly id: string;
  readonly last: number;
  /** By when it was gone; null: it lives. */
  readonly goneBy: number | null;
}

/** A target that has not been scraped for so long is not a target any more. */
const LEAST_STALE_SECONDS = 60;
const STALE_SCRAPES = 3;

/**
 * Tells the processes of one target apart. Another one has begun where the id changes, or where the same id is younger than
 * before (an id that was set by hand outlives the process).
 * @param downs times at which scraping the target failed
 */
export function runsOf(
  instance: string,
  sightings: ReadonlyMap<number, Sighting>,
  downs: readonly number[],
  now: number,
): Run[] {
  const times = [...sightings.keys()].sort((a, b) => a - b);
  const runs: { id: string; first: number; last: number; age: number }[] = [];
  let interval = LEAST_STALE_SECONDS / STALE_SCRAPES;
  for (const time of times) {
    const { id = '', age = 0 } = sightings.get(time) ?? {};
    const current = runs.at(-1);
    if (current && current.id === id && age >= current.age) {
      interval = time - current.last;
      current.last = time;
      current.age = age;
    } else runs.push({ id, first: time, last: time, age });
  }
  const stale = Math.max(LEAST_STALE_SECONDS, STALE_SCRAPES * interval);
  return runs.map(({ id, last }, index) => {
    const down = downs.find((time) => time > last);
    const next = runs[index + 1]?.first;
    const gone = Math.min(down ?? Number.POSITIVE_INFINITY, next ?? Number.POSITIVE_INFINITY);
    const forgotten = now - last > stale ? last + stale : null;
    const named = runs.slice(0, index).filter((one) => one.id === id).length;
    return {
      instance,
      id: named === 0 ? id : `${id}#${named + 1}`,
      last,
      goneBy: Number.isFinite(gone) ? gone : forgotten,
    };
  });
}
