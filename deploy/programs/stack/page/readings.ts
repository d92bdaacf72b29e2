import { loopback, type Ports } from '../addresses.ts';

export interface Target {
  readonly job: string;
  readonly instance: string;
  readonly health: string;
  readonly error: string;
}
export interface FiringAlert {
  readonly name: string;
  readonly severity: string;
  readonly state: string;
  readonly summary: string;
}
/** A span with its depth below the root. Times are microseconds. */
export interface ShownSpan {
  readonly name: string;
  readonly depth: number;
  readonly start: number;
  readonly duration: number;
  readonly failed: boolean;
}
/** A trace with its spans in the order of a waterfall: each parent before its children. */
export interface ShownTrace {
  readonly id: string;
  readonly spans: readonly ShownSpan[];
  /** How many spans follow those, and are not shown. */
  readonly more: number;
}

const TRACES = 5;
const MOST_SPANS = 40;
/** What does not answer in this time is shown as silent. */
const TIMEOUT_MS = 3000;

async function ask<T>(port: number, path: string): Promise<T> {
  const response = await fetch(`http://${loopback(port)}${path}`, {
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`${path} answers ${response.status}`);
  return (await response.json()) as T;
}

/** The scrape targets of Prometheus. Rejects when Prometheus does not answer. */
export async function readTargets({ prometheus }: Ports): Promise<Target[]> {
  interface Found {
    readonly labels: Readonly<Record<string, string>>;
    readonly health: string;
    readonly lastError: string;
  }
  const { data } = await ask<{ data: { activeTargets: Found[] } }>(
    prometheus,
    '/api/v1/targets?state=active',
  );
  return data.activeTargets
    .map(({ labels, health, lastError }) => ({
      job: labels['job'] ?? '',
      instance: labels['instance'] ?? '',
      health,
      error: lastError,
    }))
    .toSorted((a, b) => a.job.localeCompare(b.job));
}

/** The pending and firing alerts of Prometheus. Rejects when Prometheus does not answer. */
export async function readAlerts({ prometheus }: Ports): Promise<FiringAlert[]> {
  type Texts = Readonly<Record<string, string>>;
  const { data } = await ask<{ data: { alerts: { labels: Texts; annotations: Texts; state: string }[] } }>(
    prometheus,
    '/api/v1/alerts',
  );
  return data.alerts
    .map(({ labels, annotations, state }) => ({
      name: labels['alertname'] ?? '',
      severity: labels['severity'] ?? '',
      state,
      summary: annotations['summary'] ?? '',
    }))
    .toSorted((a, b) => a.state.localeCompare(b.state) || a.name.localeCompare(b.name));
}

interface JaegerSpan {
  readonly spanID: string;
  readonly operationName: string;
  readonly startTime: number;
  readonly duration: number;
  readonly references: readonly { readonly refType: string; readonly spanID: string }[];
  readonly tags: readonly { readonly key: string; readonly value: unknown }[];
}

/**
 * What the span of every request has and no other. Without it, traces of the jobs that run every few seconds would push the
 * requests off the page. Jaeger's memory cannot search by the kind of a span.
 */
const REQUESTS = encodeURIComponent(JSON.stringify({ 'url.scheme': 'http' }));

/** The newest traces of requests that Jaeger has of the service. Rejects when Jaeger does not answer. */
export async function readTraces({ jaeger }: Ports): Promise<ShownTrace[]> {
  const { data } = await ask<{ data: { traceID: string; spans: JaegerSpan[] }[] }>(
    jaeger,
    `/api/traces?service=grantex-auth&limit=${TRACES}&lookback=1h&tags=${REQUESTS}`,
  );
  return data
    .toSorted((a, b) => firstOf(b.spans) - firstOf(a.spans))
    .map(({ traceID, spans }) => ({
      id: traceID,
      spans: inOrder(spans).slice(0, MOST_SPANS),
      more: Math.max(0, spans.length - MOST_SPANS),
    }));
}

const firstOf = (spans: readonly JaegerSpan[]): number =>
  Math.min(...spans.map(({ startTime }) => startTime));

function inOrder(spans: readonly JaegerSpan[]): ShownSpan[] {
  const ids = new Set(spans.map(({ spanID }) => spanID));
  const parentOf = ({ references }: JaegerSpan) =>
    references.find(({ refType, spanID }) => refType === 'CHILD_OF' && ids.has(spanID))?.spanID;
  const below = (parent: string | undefined, depth: number): ShownSpan[] =>
    spans
      .filter((span) => parentOf(span) === parent)
      .toSorted((a, b) => a.startTime - b.startTime)
      .flatMap((span) => [
        {
          name: span.operationName,
          depth,
          start: span.startTime,
          duration: span.duration,
          failed: span.tags.some(({ key, value }) => key === 'error' && value === true),
        },
        ...below(span.spanID, depth + 1),
      ]);
  return below(undefined, 0);
}
