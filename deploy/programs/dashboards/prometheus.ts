/** One series of an answer: its labels, and values by seconds since 1970. NaN is a value, too. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly points: readonly (readonly [time: number, value: number])[];
}

/** One measured thing with the trace it belongs to. */
export interface Exemplar {
  readonly time: number;
  readonly value: number;
  readonly traceId: string;
}

/** From `start` to `end`, one point every `step`; seconds, the first two since 1970. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** The query API of a Prometheus. Everything rejects with what Prometheus has to say against a query. */
export interface Prometheus {
  /** One point per series. */
  instant(expr: string, time: number): Promise<Series[]>;
  range(expr: string, span: Span): Promise<Series[]>;
  /** Values that the label has in the series selected, within the span; without a selector in all. */
  labelValues(label: string, selector: string | null, span: Omit<Span, 'step'>): Promise<string[]>;
  /** Exemplars of the series of a query. */
  exemplars(expr: string, span: Omit<Span, 'step'>): Promise<Exemplar[]>;
}

type Sample = [number, string];
interface Result {
  readonly result: { metric: Record<string, string>; value?: Sample; values?: Sample[] }[];
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
  const times = ({ start, end }: Omit<Span, 'step'>) => ({ start: String(start), end: String(end) });

  return {
    instant: async (query, time) => series(await ask('query', { query, time: String(time) })),
    range: async (query, span) =>
      series(await ask('query_range', { query, ...times(span), step: String(span.step) })),
    async labelValues(label, selector, span) {
      const parameters = new URLSearchParams({
        ...times(span),
        ...(selector !== null && { 'match[]': selector }),
      });
      return read(await fetch(`${url}/api/v1/label/${label}/values?${parameters}`), label);
    },
    async exemplars(query, span) {
      const answer = await ask<ExemplarsOfSeries[]>('query_exemplars', { query, ...times(span) });
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
