/** One process of the service, as its scraped metrics show it. */
export interface Process {
  /** Its `service.instance.id`, with a suffix where that is not unique. */
  readonly id: string;
  /** Where it is or was scraped. */
  readonly instance: string;
  /** Counters by the `what` of their lines, as of the last scrape. */
  readonly counts: Readonly<Record<string, number>>;
  /** Gauges likewise; of a process that has ended, none. */
  readonly gauges: Readonly<Record<string, number | undefined>>;
  /** Set for a process that has ended. No scrape has counted its work after the last one. */
  readonly ended: Ending | null;
}

export interface Ending {
  readonly lastScrape: Date;
  /** By when it was certainly gone. */
  readonly goneBy: Date;
}

/** What the metrics say, of every process that there was since the beginning of the interval. */
export interface Observation {
  readonly processes: readonly Process[];
  /** When the oldest of the values of living processes was read, by this machine's clock; ms. */
  readonly asOf: number;
}

/** Where metrics come from. */
export interface Source {
  /** @throws when they cannot be had */
  observe(): Promise<Observation>;
}
