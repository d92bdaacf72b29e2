import { ANOMALY_SEVERITIES, ATTEMPT_OUTCOMES, STATEMENT_ENDS } from '../src/closed-sets.ts';
import { LIMITER_NAMES } from '../src/config.ts';

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
  /** Name of the OpenTelemetry instrument it is fed by. */
  readonly instrument: string;
  /** Exact Prometheus name. */
  readonly name: string;
  /** HELP text where it differs from the instrument's description. */
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
const ATTEMPT_SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const HTTP_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const DATABASE_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];
const GC_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1];

const oneOf = (name: string, ...values: readonly string[]): Label => ({ name, values });
const plain = (name: string): Label => ({ name });

/** Every exported family (telemetry contract). Names, labels and boundaries are what dashboards and alerts are written against. */
export const FAMILIES: readonly Family[] = [
  {
    instrument: 'grantex.token_exchange',
    name: 'grantex_token_exchange_total',
    labels: [oneOf('status', 'success', 'error')],
    perAgent: {
      name: 'grantex_agent_token_exchange_total',
      help: 'Token exchange attempts that have ended, by outcome and agent.',
    },
  },
  {
    instrument: 'grantex.authorize',
    name: 'grantex_authorize_total',
    labels: [oneOf('status', 'success', 'denied', 'error')],
    perAgent: {
      name: 'grantex_agent_authorize_total',
      help: 'Authorization requests that have ended, by outcome and agent.',
    },
  },
  {
    instrument: 'grantex.grants.revoked',
    name: 'grantex_grants_revoked_total',
    labels: [],
    perAgent: {
      name: 'grantex_agent_grants_revoked_total',
      help: 'Grants that went from active to revoked, cascades included, by agent.',
    },
  },
  {
    instrument: 'grantex.webhook.deliveries',
    name: 'grantex_webhook_deliveries_total',
    labels: [oneOf('status', 'delivered', 'failed')],
    perAgent: {
      name: 'grantex_agent_webhook_deliveries_total',
      help: 'Webhook deliveries that reached their end, by outcome and agent.',
    },
  },
  {
    instrument: 'grantex.anomalies.detected',
    name: 'grantex_anomalies_detected_total',
    labels: [oneOf('type', ...Object.keys(ANOMALY_SEVERITIES)), oneOf('severity', 'low', 'medium', 'high')],
    perAgent: {
      name: 'grantex_agent_anomalies_detected_total',
      help: 'Anomalies opened, by type, severity and agent.',
    },
  },
  {
    instrument: 'grantex.authorize.duration',
    name: 'grantex_authorize_duration_seconds',
    boundaries: ATTEMPT_SECONDS,
    labels: [],
    perAgent: {
      name: 'grantex_agent_authorize_duration_seconds',
      help: 'Duration of every counted authorization request, failures too, in seconds, by agent.',
    },
  },
  {
    instrument: 'grantex.token_exchange.duration',
    name: 'grantex_token_exchange_duration_seconds',
    boundaries: ATTEMPT_SECONDS,
    labels: [],
  },
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
  { instrument: 'grantex.grants.active', name: 'grantex_active_grants', labels: [] },
  { instrument: 'grantex.anomalies.unacknowledged', name: 'grantex_anomalies_unacknowledged', labels: [] },
  {
    instrument: 'grantex.token_refresh',
    name: 'grantex_token_refresh_total',
    labels: [oneOf('status', 'success', 'error')],
  },
  {
    instrument: 'grantex.token_verification',
    name: 'grantex_token_verifications_total',
    labels: [oneOf('result', 'valid', 'invalid')],
  },
  {
    instrument: 'grantex.grants.created',
    name: 'grantex_grants_created_total',
    labels: [oneOf('origin', 'consent', 'delegation')],
    perAgent: {
      name: 'grantex_agent_grants_created_total',
      help: 'Grants created, by origin and by the agent that may act by them.',
    },
  },
  {
    instrument: 'grantex.consent.decisions',
    name: 'grantex_consent_decisions_total',
    labels: [oneOf('decision', 'approved', 'denied')],
  },
  {
    instrument: 'grantex.webhook.attempts',
    name: 'grantex_webhook_attempts_total',
    labels: [oneOf('outcome', ...ATTEMPT_OUTCOMES)],
  },
  {
    instrument: 'grantex.webhook.oldest_pending',
    name: 'grantex_webhook_oldest_pending_seconds',
    labels: [],
  },
  { instrument: 'grantex.signing_keys', name: 'grantex_signing_keys', labels: [] },
  { instrument: 'grantex.signing_key.age', name: 'grantex_signing_key_age_seconds', labels: [] },
  {
    instrument: 'grantex.signing_keys.read_age',
    name: 'grantex_signing_keys_read_age_seconds',
    labels: [],
  },
  {
    instrument: 'grantex.rate_limited',
    name: 'grantex_rate_limited_total',
    labels: [oneOf('endpoint', ...LIMITER_NAMES)],
  },
  {
    instrument: 'grantex.metrics.collection_errors',
    name: 'grantex_metrics_collection_errors_total',
    // Both halves record it, so the text is here once for the two of them.
    help: 'Failures while reading or writing out metrics.',
    labels: [],
  },
  { instrument: 'grantex.telemetry.faults', name: 'grantex_telemetry_faults_total', labels: [] },
  {
    instrument: 'grantex.telemetry.dropped',
    name: 'grantex_telemetry_dropped_total',
    labels: [oneOf('signal', 'traces', 'logs')],
  },
  {
    instrument: 'db.client.operation.duration',
    name: 'db_client_operation_duration_seconds',
    boundaries: DATABASE_SECONDS,
    labels: [plain('db.system.name'), plain('db.operation.name'), plain('error.type')],
  },
  {
    instrument: 'db.client.connection.count',
    name: 'db_client_connection_count',
    labels: [plain('db.client.connection.pool.name'), oneOf('db.client.connection.state', 'idle', 'used')],
  },
  {
    instrument: 'db.client.connection.pending_requests',
    name: 'db_client_connection_waiting',
    labels: [{ name: 'pool', from: 'db.client.connection.pool.name' }],
  },
  {
    instrument: 'db.client.connection.wait_time',
    name: 'db_client_connection_wait_seconds',
    boundaries: DATABASE_SECONDS,
    labels: [{ name: 'pool', from: 'db.client.connection.pool.name' }],
  },
  {
    instrument: 'grantex.statements.ended',
    name: 'grantex_statements_ended_total',
    labels: [oneOf('by', ...STATEMENT_ENDS)],
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
