/** One series of an answer: its labels, and its values by time in seconds since 1970. A value may be NaN. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly points: readonly (readonly [time: number, value: number])[];
}

/** One observation with the trace it belongs to. */
export interface Exemplar {
  readonly time: number;
  readonly value: number;
  readonly traceId: string;
}

/** Points from `start` to `end`, both in seconds since 1970, with `step` seconds between them. */
export interface TimeRange {
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** The query API of a Prometheus. Each call rejects with the error of Prometheus when a query is wrong. */
export interface Prometheus {
  /** One point per series. */
  instant(expr: string, time: number): Promise<Series[]>;
  range(expr: string, range: TimeRange): Promise<Series[]>;
  /** Values of the label within the range, in the selected series. Without a selector: in all series. */
  labelValues(label: string, selector: string | null, range: Omit<TimeRange, 'step'>): Promise<string[]>;
  /** Exemplars of the series of a query. */
  exemplars(expr: string, range: Omit<TimeRange, 'step'>): Promise<Exemplar[]>;
}

type PrometheusSample = [number, string];
interface Result {
  readonly result: {
    metric: Record<string, string>;
    value?: PrometheusSample;
    values?: PrometheusSample[];
  }[];
}
interface ExemplarsOfSeries {
  readonly exemplars: { labels: Record<string, string>; value: string; timestamp: number }[];
}

/** @param url without a path */
export function connectPrometheus(url: string): Prometheus {
  const ask = async <T>(path: string, parameters: Record<string, string>): Promise<T> => {
    const response = await fetch(`${url}/api/v1/${path}`, {
      method: 'POST',
      body: new URLSearchParams(parameters),
    });
    return read(response, parameters['query'] ?? path);
  };
  const read = async <T>(response: Response, what: string): Promise<T> => {
    const answer = (await response.json()) as { status: string; error?: string; data: T };
    if (answer.status !== 'success') throw new Error(`${answer.error}: ${what}`);
    return answer.data;
  };
  const series = ({ result }: Result): Series[] =>
    result.map(({ metric, value, values = value ? [value] : [] }) => ({
      labels: metric,
      points: values.map(([time, text]) => [time, Number(text === '+Inf' ? 'Infinity' : text)] as const),
    }));
  const times = ({ start, end }: Omit<TimeRange, 'step'>) => ({ start: String(start), end: String(end) });

  return {
    instant: async (query, time) => series(await ask('query', { query, time: String(time) })),
    range: async (query, range) =>
      series(await ask('query_range', { query, ...times(range), step: String(range.step) })),
    async labelValues(label, selector, range) {
      const parameters = new URLSearchParams({
        ...times(range),
        ...(selector !== null && { 'match[]': selector }),
      });
      return read(await fetch(`${url}/api/v1/label/${label}/values?${parameters}`), label);
    },
    async exemplars(query, range) {
      const answer = await ask<ExemplarsOfSeries[]>('query_exemplars', { query, ...times(range) });
      return answer.flatMap(({ exemplars }) =>
        exemplars.map(({ labels, value, timestamp }) => ({
          time: timestamp,
          value: Number(value),
          traceId: labels['trace_id'] ?? '',
        })),
      );
    },
  };
}
