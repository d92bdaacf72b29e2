import { SERVICE_FAMILIES } from '../src/telemetry/families.ts';
import type { Family as ServiceFamily } from '../src/telemetry/family.ts';

/** One label of an exported family. */
export interface Label {
  /** Name in the exposition (dots become underscores). */
  readonly name: string;
  /** The attribute it is taken from; default: the one of the same name. */
  readonly from?: string;
  /** Every value it may take. Anything else becomes `otherwise`. Left out where the code that records is the bound. */
  readonly values?: readonly string[];
  /** For absent and unknown values. Left out: an absent attribute is an absent label, an unknown value is `_OTHER`. */
  readonly otherwise?: string;
}

/** One family of the exposition: what a View is made from. */
export interface Family {
  /** Name of the OpenTelemetry instrument that feeds it. */
  readonly instrument: string;
  /** Exact Prometheus name. */
  readonly name: string;
  /** HELP text; left out: the package that records it describes it. */
  readonly help?: string;
  /** Upper bounds of a histogram's buckets. */
  readonly boundaries?: readonly number[];
  readonly labels: readonly Label[];
  /** The same recordings with `agent_id`, in a second family. */
  readonly perAgent?: { readonly name: string; readonly help: string };
}

export const HTTP_METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  'PATCH',
  'QUERY',
];
const HTTP_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const GC_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1];

const oneOf = (name: string, ...values: readonly string[]): Label => ({ name, values });
const plain = (name: string): Label => ({ name });

/** What the service records itself. */
const ofService = ({ labels, ...family }: ServiceFamily): Family => ({
  ...family,
  labels: Object.entries(labels).map(([from, { as = from, ...label }]) => ({ name: as, from, ...label })),
});

/** Every exported family: those of the service's own catalogue, and those that instrumentation records. */
export const FAMILIES: readonly Family[] = [
  ...Object.values<ServiceFamily>(SERVICE_FAMILIES).map(ofService),
  {
    instrument: 'http.server.request.duration',
    name: 'grantex_http_request_duration_seconds',
    help: 'Duration of HTTP requests, in seconds, by route template; 499 is a client that left before the answer.',
    boundaries: HTTP_SECONDS,
    labels: [
      { name: 'method', from: 'http.request.method', values: HTTP_METHODS },
      { name: 'route', from: 'http.route', otherwise: 'unmatched' },
      { name: 'status_code', from: 'http.response.status_code' },
    ],
  },
  { instrument: 'grantex.telemetry.faults', name: 'grantex_telemetry_faults_total', labels: [] },
  {
    instrument: 'grantex.telemetry.dropped',
    name: 'grantex_telemetry_dropped_total',
    labels: [oneOf('signal', 'traces', 'logs')],
  },
  ...['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'].map((statistic) => ({
    instrument: `nodejs.eventloop.delay.${statistic}`,
    name: `nodejs_eventloop_delay_${statistic}_seconds`,
    labels: [],
  })),
  { instrument: 'nodejs.eventloop.utilization', name: 'nodejs_eventloop_utilization_ratio', labels: [] },
  {
    instrument: 'nodejs.eventloop.time',
    name: 'nodejs_eventloop_time_seconds_total',
    labels: [oneOf('nodejs.eventloop.state', 'active', 'idle')],
  },
  {
    instrument: 'v8js.gc.duration',
    name: 'v8js_gc_duration_seconds',
    boundaries: GC_SECONDS,
    labels: [oneOf('v8js.gc.type', 'major', 'minor', 'incremental', 'weakcb')],
  },
  ...['used', 'space.size', 'space.available_size', 'space.physical_size'].map((part) => ({
    instrument: `v8js.memory.heap.${part}`,
    name: `v8js_memory_heap_${part.replace('.', '_')}_bytes`,
    labels: [plain('v8js.heap.space.name')],
  })),
];

/** Instruments of the packages used that are not exported. */
export const DROPPED_INSTRUMENTS: readonly string[] = [
  'http.client.request.duration',
  'v8js.resource.active',
];
