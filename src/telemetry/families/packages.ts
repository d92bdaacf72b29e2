import { BUDGETED_REQUESTS, HTTP_METHODS } from '../../label-values.ts';
import { type Family, type Kind, oneOf } from './family.ts';

const HTTP_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const GC_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1];

const eventLoopDelay = (statistic: string, words: string): Family => ({
  name: `nodejs_eventloop_delay_${statistic}_seconds`,
  instrument: `nodejs.eventloop.delay.${statistic}`,
  kind: 'observableGauge',
  unit: 's',
  help: `Event loop ${words} delay.`,
  labels: {},
});

const heap = (part: string, kind: Kind, help: string): Family => ({
  name: `v8js_memory_heap_${part.replace('.', '_')}_bytes`,
  instrument: `v8js.memory.heap.${part}`,
  kind,
  unit: 'By',
  help,
  labels: { 'v8js.heap.space.name': { text: 'Space of the heap; in development upstream.' } },
});

/** HTTP requests and the Node runtime, which `instrumentation/` and its packages record. They make these instruments. */
export const PACKAGE_FAMILIES: readonly Family[] = [
  {
    name: 'grantex_http_request_duration_seconds',
    instrument: 'http.server.request.duration',
    kind: 'histogram',
    unit: 's',
    help: 'Duration of HTTP requests, in seconds, by route template; 499 is a client that left before the answer.',
    note: 'Every request but `/metrics`.',
    boundaries: HTTP_SECONDS,
    seeds: BUDGETED_REQUESTS.flatMap(({ method, route, success }) =>
      [success, 500, 503].map((status) => ({
        'http.request.method': method,
        'http.route': route,
        'http.response.status_code': String(status),
      })),
    ),
    exemplars: 'all',
    labels: {
      'http.request.method': { as: 'method', text: 'HTTP verb, or `_OTHER`.', values: HTTP_METHODS },
      'http.route': {
        as: 'route',
        text: 'Template of the path, or `unmatched`.',
        otherwise: 'unmatched',
      },
      'http.response.status_code': { as: 'status_code', text: 'HTTP status of the answer.' },
    },
  },
  {
    name: 'http_server_active_requests',
    instrument: 'http.server.active_requests',
    kind: 'observableUpDownCounter',
    unit: '{request}',
    help: 'HTTP requests that are being answered, by method.',
    note: 'Every request but `/metrics`.',
    labels: {
      'http.request.method': { as: 'method', text: 'HTTP verb, or `_OTHER`.', values: HTTP_METHODS },
    },
  },
  eventLoopDelay('min', 'minimum'),
  eventLoopDelay('max', 'maximum'),
  eventLoopDelay('mean', 'mean'),
  eventLoopDelay('stddev', 'standard deviation'),
  eventLoopDelay('p50', '50 percentile'),
  eventLoopDelay('p90', '90 percentile'),
  eventLoopDelay('p99', '99 percentile'),
  {
    name: 'nodejs_eventloop_utilization_ratio',
    instrument: 'nodejs.eventloop.utilization',
    kind: 'observableGauge',
    unit: '1',
    help: 'Event loop utilization',
    labels: {},
  },
  {
    name: 'nodejs_eventloop_time_seconds_total',
    instrument: 'nodejs.eventloop.time',
    kind: 'observableCounter',
    unit: 's',
    help: 'Cumulative duration of time the event loop has been in each state.',
    labels: {
      'nodejs.eventloop.state': oneOf('State of the event loop; in development upstream.', [
        'active',
        'idle',
      ]),
    },
  },
  {
    name: 'v8js_gc_duration_seconds',
    instrument: 'v8js.gc.duration',
    kind: 'histogram',
    unit: 's',
    help: 'Garbage collection duration by kind, one of major, minor, incremental or weakcb.',
    boundaries: GC_SECONDS,
    labels: {
      'v8js.gc.type': oneOf('Kind of garbage collection; in development upstream.', [
        'major',
        'minor',
        'incremental',
        'weakcb',
      ]),
    },
  },
  heap('used', 'observableGauge', 'Heap Memory size allocated.'),
  heap('space.size', 'observableUpDownCounter', 'Total heap memory size pre-allocated for a heap space.'),
  heap('space.available_size', 'observableGauge', 'Heap space available size.'),
  heap('space.physical_size', 'observableGauge', 'Committed size of a heap space.'),
];

/** Instruments of the same packages that are not exported. */
export const DROPPED_INSTRUMENTS: readonly string[] = [
  'http.client.request.duration',
  'v8js.resource.active',
];
