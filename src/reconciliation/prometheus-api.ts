import type { Labels } from './exposition.ts';

/** One series with its raw samples; times in seconds, as the Prometheus that scraped them had it. */
export interface RawSeries {
  readonly labels: Labels;
  readonly samples: readonly (readonly [time: number, value: number])[];
}

export interface Prometheus {
  /** Its time of day, in seconds. */
  time(): Promise<number>;
  /** The samples of a selector in a span of time, exactly as they were scraped. */
  raw(selector: string, from: number, to: number): Promise<RawSeries[]>;
  /** The newest sample of each series of a selector, as of a time. */
  at(selector: string, time: number): Promise<{ labels: Labels; value: number }[]>;
}

const TIMEOUT_MS = 30_000;
/** A day of samples in one answer. */
const CHUNK_SECONDS = 86_400;

/** A value as the API writes it: seconds, and the number as text. */
type TimedValue = readonly [time: number, value: string];
type Reply<T> =
  | { readonly status: 'success'; readonly data: { readonly result: T } }
  | { readonly status: 'error'; readonly error: string };

/** The query API of a Prometheus, or of anything that speaks it. @param base its URL, to which `/api/v1/query` is added */
export function createPrometheus(base: string): Prometheus {
  const url = `${base.replace(/\/+$/, '')}/api/v1/query`;
  const query = async <T>(text: string, time?: number): Promise<T> => {
    const body = new URLSearchParams({ query: text, ...(time !== undefined && { time: time.toFixed(3) }) });
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(url, { method: 'POST', body, signal }).catch((cause) => {
      throw new Error(`${url} does not answer`, { cause });
    });
    const answer = (await response.json().catch(() => null)) as Reply<T> | null;
    if (answer?.status !== 'success')
      throw new Error(`${url} answers ${response.status}: ${answer?.error ?? ''}`);
    return answer.data.result;
  };
  return {
    time: async () => Number((await query<TimedValue>('time()'))[1]),
    async raw(selector, from, to) {
      const found = new Map<string, { labels: Labels; samples: [number, number][] }>();
      for (let begin = from; begin < to; begin += CHUNK_SECONDS) {
        const end = Math.min(begin + CHUNK_SECONDS, to);
        const range = `${selector}[${Math.max(1, Math.ceil((end - begin) * 1000))}ms]`;
        for (const { metric, values } of await query<{ metric: Labels; values: TimedValue[] }[]>(
          range,
          end,
        )) {
          const key = JSON.stringify(Object.entries(metric).sort());
          const series = found.get(key) ?? { labels: metric, samples: [] };
          found.set(key, series);
          for (const [time, value] of values) series.samples.push([time, Number(value)]);
        }
      }
      return [...found.values()];
    },
    at: async (selector, time) =>
      (await query<{ metric: Labels; value: TimedValue }[]>(selector, time)).map(({ metric, value }) => ({
        labels: metric,
        value: Number(value[1]),
      })),
  };
}
