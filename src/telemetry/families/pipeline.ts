import { type Family, oneOf } from './family.ts';

/** What the service counts of its own telemetry. */
export const PIPELINE_FAMILIES = {
  collectionErrors: {
    name: 'grantex_metrics_collection_errors_total',
    instrument: 'grantex.metrics.collection_errors',
    kind: 'counter',
    unit: '{error}',
    help: 'Failures while reading or writing out metrics.',
    labels: {},
  },
  telemetryFaults: {
    name: 'grantex_telemetry_faults_total',
    instrument: 'grantex.telemetry.faults',
    kind: 'observableCounter',
    unit: '{fault}',
    help: 'Errors thrown while recording telemetry; they were swallowed, the requests went on.',
    labels: {},
  },
} as const satisfies Record<string, Family>;

/** What was meant for a collector or for standard output and did not reach it; `instrumentation/` observes it. */
export const TELEMETRY_DROPPED = {
  name: 'grantex_telemetry_dropped_total',
  instrument: 'grantex.telemetry.dropped',
  kind: 'observableCounter',
  unit: '{item}',
  help: 'Spans and log lines that did not reach the collector (queue full, export failed, or rejected by the collector), and lines that standard output did not take.',
  labels: { signal: oneOf('What was dropped.', ['traces', 'logs', 'stdout']) },
} as const satisfies Family;
