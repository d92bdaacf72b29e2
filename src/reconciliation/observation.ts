/** One process of the service, as its scraped metrics show it. */
export interface Process {
  /** Its `service.instance.id`, with a suffix where that is not unique. */
  readonly id: string;
  /** `process_start_time_seconds`; null: its release did not tell it. */
  readonly startedAt: number | null;
  /** Where it is or was scraped. */
  readonly instance: string;
  /** Counters by the `what` of their lines, as of the last scrape. */
  readonly counts: Counts;
  /** Gauges likewise; of a process that has ended, none. */
  readonly gauges: Readonly<Record<string, number | undefined>>;
  /** Set for a process that has ended. No scrape has counted its work after the last one. */
  readonly ended: Ending | null;
}

export type Counts = Readonly<Record<string, number>>;

export interface Ending {
  readonly lastScrape: Date;
  /** By when it was gone; of one that is silent, the time of the look. */
  readonly goneBy: Date;
  /**
   * `replaced`: another process has its place, so it is gone. `gone`: nobody has heard of it for so long that it counts as gone,
   * but a frozen one may return. `silent`: a scrape has failed, and it may still be at work.
   */
  readonly state: 'replaced' | 'gone' | 'silent';
}

/** What the metrics say, of every process that there was since the beginning of the interval. */
export interface Observation {
  readonly processes: readonly Process[];
  /** When the oldest of the values of living processes was read, by this machine's clock; ms. */
  readonly asOf: number;
}

/** What processes that ended in order had left in the database. */
export interface Left {
  /** Over all of them, by the `what` of their lines. */
  readonly counts: Counts;
  readonly processes: readonly { readonly id: string; readonly startedAt: number }[];
}

/** Where metrics come from. */
export interface Source {
  /** @throws when they cannot be had */
  observe(): Promise<Observation>;
}

/** Whether two sightings are of one process. An id that was set by hand outlives a process; the time of its start does not. */
export const isSame = (
  one: Pick<Process, 'id' | 'startedAt'>,
  other: Pick<Process, 'id' | 'startedAt'>,
): boolean =>
  one.id === other.id &&
  (one.startedAt === other.startedAt || one.startedAt === null || other.startedAt === null);
