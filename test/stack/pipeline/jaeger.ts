import { waitFor } from '../../support/service.ts';

/** A span from Jaeger. */
export interface StoredSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly name: string;
  /** Microseconds. */
  readonly start: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly resource: Readonly<Record<string, unknown>>;
}

interface Tag {
  readonly key: string;
  readonly value: unknown;
}
interface JaegerTrace {
  readonly spans: readonly {
    readonly traceID: string;
    readonly spanID: string;
    readonly operationName: string;
    readonly references: readonly {
      readonly refType: 'CHILD_OF' | 'FOLLOWS_FROM';
      readonly traceID: string;
      readonly spanID: string;
    }[];
    readonly startTime: number;
    readonly tags: readonly Tag[];
    readonly processID: string;
  }[];
  readonly processes: Readonly<
    Record<string, { readonly serviceName: string; readonly tags: readonly Tag[] }>
  >;
}

const asRecord = (tags: readonly Tag[]) => Object.fromEntries(tags.map(({ key, value }) => [key, value]));

const spansOf = ({ spans, processes }: JaegerTrace): StoredSpan[] =>
  spans.map((span) => {
    const process = processes[span.processID];
    const parent = span.references.find(
      ({ refType, traceID }) => refType === 'CHILD_OF' && traceID === span.traceID,
    );
    return {
      traceId: span.traceID,
      spanId: span.spanID,
      parentSpanId: parent?.spanID,
      links: span.references
        .filter((reference) => reference !== parent)
        .map(({ traceID, spanID }) => ({ traceId: traceID, spanId: spanID })),
      name: span.operationName,
      start: span.startTime,
      attributes: asRecord(span.tags),
      resource: { 'service.name': process?.serviceName, ...asRecord(process?.tags ?? []) },
    };
  });

/** Jaeger's HTTP API. */
export class Jaeger {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** The newest traces of a service, at most 1500. */
  async traces(service: string, query: Readonly<Record<string, string>> = {}): Promise<StoredSpan[][]> {
    const parameters = new URLSearchParams({ service, limit: '1500', lookback: '1h', ...query });
    return (await this.#get(`/api/traces?${parameters}`)).map(spansOf);
  }

  /** The spans of one trace; none when Jaeger does not have it. */
  async trace(traceId: string): Promise<StoredSpan[]> {
    return (await this.#get(`/api/traces/${traceId}`)).flatMap(spansOf);
  }

  /** Waits for one trace. */
  traceOnce(traceId: string, timeoutMs = 30_000): Promise<StoredSpan[]> {
    return waitFor(async () => {
      const spans = await this.trace(traceId);
      return spans.length > 0 ? spans : undefined;
    }, timeoutMs);
  }

  async #get(path: string): Promise<JaegerTrace[]> {
    const response = await fetch(this.#url + path);
    if (response.status === 404) return [];
    return ((await response.json()) as { data: JaegerTrace[] | null }).data ?? [];
  }
}
