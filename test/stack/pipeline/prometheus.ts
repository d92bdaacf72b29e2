type Labels = Readonly<Record<string, string>>;

export interface Series {
  readonly labels: Labels;
  readonly value: number;
}
export interface Exemplar {
  readonly series: Labels;
  readonly labels: Labels;
  readonly value: number;
}
export interface Target {
  readonly labels: Labels;
  readonly health: string;
  readonly lastError: string;
  readonly lastScrape: string;
  readonly scrapeUrl: string;
}

/** Prometheus's HTTP API. */
export class Prometheus {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  /** Runs an instant query whose result is a vector. */
  async query(promql: string): Promise<Series[]> {
    const { result } = await this.#get('query', { query: promql });
    return result.map(({ metric, value }: { metric: Labels; value: [number, string] }) => ({
      labels: metric,
      value: Number(value[1]),
    }));
  }

  async exemplars(promql: string): Promise<Exemplar[]> {
    const now = Date.now() / 1000;
    const found = await this.#get('query_exemplars', {
      query: promql,
      start: String(now - 3600),
      end: String(now + 60),
    });
    return found.flatMap(
      ({
        seriesLabels,
        exemplars,
      }: {
        seriesLabels: Labels;
        exemplars: { labels: Labels; value: string }[];
      }) => exemplars.map(({ labels, value }) => ({ series: seriesLabels, labels, value: Number(value) })),
    );
  }

  async targets(): Promise<Target[]> {
    return (await this.#get('targets', { state: 'active' })).activeTargets;
  }

  /** Type and help of each family that Prometheus scraped from one job. */
  async metadata(job: string): Promise<{ metric: string; type: string; help: string }[]> {
    return this.#get('targets/metadata', { match_target: `{job="${job}"}` });
  }

  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape
  async #get(path: string, parameters: Record<string, string>): Promise<any> {
    const response = await fetch(`${this.url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const { status, data, error } = (await response.json()) as {
      status: string;
      data: unknown;
      error?: string;
    };
    if (status !== 'success') throw new Error(`${path}: ${error}`);
    return data;
  }
}
