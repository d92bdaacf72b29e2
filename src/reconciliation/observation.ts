/** One process of the service, as far as its metrics were seen. */
export interface Process {
  /** Its `service.instance.id`, and where that is not unique, which of them. */
  readonly id: string;
  /** Where it is or was scraped. */
  readonly instance: string;
  /** Counters by the `what` of their lines, as of the last scrape. */
  readonly counts: Readonly<Record<string, number>>;
  /** Gauges likewise; of a process that has ended, none. */
  readonly gauges: Readonly<Record<string, number | undefined>>;
  /** Of a process that has ended: what it did after its last scrape nobody counted. */
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
