import { LIMITER_NAMES } from '../config.ts';
import {
  ANOMALY_SEVERITIES,
  ANOMALY_TYPES,
  ATTEMPT_OUTCOMES,
  REDIS_OUTCOMES,
  STATEMENT_ENDS,
} from '../label-values.ts';
import { type Family, oneOf } from './family.ts';

const ATTEMPT_SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const DATABASE_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];
/** A call is given up after 250 ms. */
const REDIS_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5];
/** Nobody waits for a connection longer than 1.8 s (`db/client.ts`). */
const WAIT_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2];

/**
 * The catalogue of the families that the service records (telemetry contract). A family is one entry: the instruments, the
 * zeros of the first scrape, the views of `instrumentation/` and the table of docs/metrics.md follow from it, and its
 * labels are types. Names, labels and boundaries are what dashboards and alerts are written against.
 */
export const SERVICE_FAMILIES = {
  tokenExchanges: {
    name: 'grantex_token_exchange_total',
    instrument: 'grantex.token_exchange',
    kind: 'counter',
    unit: '{attempt}',
    help: 'Token exchange attempts that have ended, by outcome. 401 and 429 are not attempts.',
    labels: { status: oneOf('success', 'error') },
    perAgent: {
      name: 'grantex_agent_token_exchange_total',
      help: 'Token exchange attempts that have ended, by outcome and agent.',
    },
  },
  authorizations: {
    name: 'grantex_authorize_total',
    instrument: 'grantex.authorize',
    kind: 'counter',
    unit: '{attempt}',
    help: 'Authorization requests that have ended, by outcome; denied is a refusal by policy. 401 and 429 are not attempts.',
    labels: { status: oneOf('success', 'denied', 'error') },
    perAgent: {
      name: 'grantex_agent_authorize_total',
      help: 'Authorization requests that have ended, by outcome and agent.',
    },
  },
  authorizeDuration: {
    name: 'grantex_authorize_duration_seconds',
    instrument: 'grantex.authorize.duration',
    kind: 'histogram',
    unit: 's',
    help: 'Duration of every counted authorization request, failures too, in seconds.',
    labels: {},
    boundaries: ATTEMPT_SECONDS,
    perAgent: {
      name: 'grantex_agent_authorize_duration_seconds',
      help: 'Duration of every counted authorization request, failures too, in seconds, by agent.',
    },
  },
  tokenExchangeDuration: {
    name: 'grantex_token_exchange_duration_seconds',
    instrument: 'grantex.token_exchange.duration',
    kind: 'histogram',
    unit: 's',
    help: 'Duration of every counted token exchange attempt, failures too, in seconds.',
    labels: {},
    boundaries: ATTEMPT_SECONDS,
  },
  tokenRefreshes: {
    name: 'grantex_token_refresh_total',
    instrument: 'grantex.token_refresh',
    kind: 'counter',
    unit: '{attempt}',
    help: 'Token refresh attempts that have ended, by outcome. 401 and 429 are not attempts.',
    labels: { status: oneOf('success', 'error') },
  },
  tokenVerifications: {
    name: 'grantex_token_verifications_total',
    instrument: 'grantex.token_verification',
    kind: 'counter',
    unit: '{token}',
    help: 'Tokens verified online, by result.',
    labels: { result: oneOf('valid', 'invalid') },
  },
  grantsCreated: {
    name: 'grantex_grants_created_total',
    instrument: 'grantex.grants.created',
    kind: 'counter',
    unit: '{grant}',
    help: 'Grants created, by origin.',
    labels: { origin: oneOf('consent', 'delegation') },
    perAgent: {
      name: 'grantex_agent_grants_created_total',
      help: 'Grants created, by origin and by the agent that may act by them.',
    },
  },
  grantsRevoked: {
    name: 'grantex_grants_revoked_total',
    instrument: 'grantex.grants.revoked',
    kind: 'counter',
    unit: '{grant}',
    help: 'Grants that went from active to revoked, cascades included.',
    labels: {},
    perAgent: {
      name: 'grantex_agent_grants_revoked_total',
      help: 'Grants that went from active to revoked, cascades included, by agent.',
    },
  },
  activeGrants: {
    name: 'grantex_active_grants',
    instrument: 'grantex.grants.active',
    kind: 'gauge',
    unit: '{grant}',
    help: 'Grants that are active and not expired, in the whole database; every replica reports the same value.',
    labels: {},
  },
  consentDecisions: {
    name: 'grantex_consent_decisions_total',
    instrument: 'grantex.consent.decisions',
    kind: 'counter',
    unit: '{decision}',
    help: 'Decisions of principals on consent requests.',
    labels: { decision: oneOf('approved', 'denied') },
  },
  webhookDeliveries: {
    name: 'grantex_webhook_deliveries_total',
    instrument: 'grantex.webhook.deliveries',
    kind: 'counter',
    unit: '{delivery}',
    help: 'Webhook deliveries that reached their end, by outcome.',
    labels: { status: oneOf('delivered', 'failed') },
    perAgent: {
      name: 'grantex_agent_webhook_deliveries_total',
      help: 'Webhook deliveries that reached their end, by outcome and agent.',
    },
  },
  webhookAttempts: {
    name: 'grantex_webhook_attempts_total',
    instrument: 'grantex.webhook.attempts',
    kind: 'counter',
    unit: '{attempt}',
    help: 'Attempts to deliver a webhook, by outcome.',
    labels: { outcome: oneOf(...ATTEMPT_OUTCOMES) },
  },
  oldestPendingDelivery: {
    name: 'grantex_webhook_oldest_pending_seconds',
    instrument: 'grantex.webhook.oldest_pending',
    kind: 'gauge',
    unit: 's',
    help: 'How long the oldest webhook delivery that is due has been due, in seconds, in the whole database; 0: none is due.',
    labels: {},
  },
  anomaliesDetected: {
    name: 'grantex_anomalies_detected_total',
    instrument: 'grantex.anomalies.detected',
    kind: 'counter',
    unit: '{anomaly}',
    help: 'Anomalies opened, by type and severity; seeing an open one again counts nothing.',
    labels: { type: oneOf(...ANOMALY_TYPES), severity: oneOf('low', 'medium', 'high') },
    seeds: ANOMALY_TYPES.map((type) => ({ type, severity: ANOMALY_SEVERITIES[type] })),
    perAgent: {
      name: 'grantex_agent_anomalies_detected_total',
      help: 'Anomalies opened, by type, severity and agent.',
    },
  },
  unacknowledgedAnomalies: {
    name: 'grantex_anomalies_unacknowledged',
    instrument: 'grantex.anomalies.unacknowledged',
    kind: 'gauge',
    unit: '{anomaly}',
    help: 'Anomalies that nobody has acknowledged, in the whole database; every replica reports the same value.',
    labels: {},
  },
  rateLimited: {
    name: 'grantex_rate_limited_total',
    instrument: 'grantex.rate_limited',
    kind: 'counter',
    unit: '{request}',
    help: 'Requests refused with 429, by limiter.',
    labels: { endpoint: oneOf(...LIMITER_NAMES) },
  },
  signingKeys: {
    name: 'grantex_signing_keys',
    instrument: 'grantex.signing_keys',
    kind: 'gauge',
    unit: '{key}',
    help: 'Keys that this replica publishes; 0: it can sign nothing.',
    labels: {},
  },
  signingKeyAge: {
    name: 'grantex_signing_key_age_seconds',
    instrument: 'grantex.signing_key.age',
    kind: 'gauge',
    unit: 's',
    help: 'How long the key that this replica signs with has been the one that signs, in seconds.',
    labels: {},
  },
  signingKeysReadAge: {
    name: 'grantex_signing_keys_read_age_seconds',
    instrument: 'grantex.signing_keys.read_age',
    kind: 'gauge',
    unit: 's',
    help: 'How long ago this replica last read the signing keys from the database, in seconds.',
    labels: {},
  },
  statementsEnded: {
    name: 'grantex_statements_ended_total',
    instrument: 'grantex.statements.ended',
    kind: 'counter',
    unit: '{statement}',
    help: 'Database statements and transactions that were ended for the time they took, by what ended them.',
    labels: { by: oneOf(...STATEMENT_ENDS) },
  },
  databaseDuration: {
    name: 'db_client_operation_duration_seconds',
    instrument: 'db.client.operation.duration',
    kind: 'histogram',
    unit: 's',
    help: 'Duration of database client operations, in seconds.',
    labels: { 'db.system.name': {}, 'db.operation.name': {}, 'error.type': {} },
    boundaries: DATABASE_SECONDS,
  },
  databaseConnections: {
    name: 'db_client_connection_count',
    instrument: 'db.client.connection.count',
    kind: 'upDownCounter',
    unit: '{connection}',
    help: 'Open database connections, by state.',
    labels: {
      'db.client.connection.pool.name': {},
      'db.client.connection.state': oneOf('idle', 'used'),
    },
  },
  databaseWaiting: {
    name: 'db_client_connection_waiting',
    instrument: 'db.client.connection.pending_requests',
    kind: 'upDownCounter',
    unit: '{request}',
    help: 'Callers that wait for a database connection now, by pool.',
    labels: { 'db.client.connection.pool.name': { as: 'pool' } },
  },
  databaseWait: {
    name: 'db_client_connection_wait_seconds',
    instrument: 'db.client.connection.wait_time',
    kind: 'histogram',
    unit: 's',
    help: 'How long callers waited for a database connection, in seconds, by pool.',
    labels: { 'db.client.connection.pool.name': { as: 'pool' } },
    boundaries: WAIT_SECONDS,
  },
  redisDuration: {
    name: 'redis_client_operation_duration_seconds',
    instrument: 'redis.client.operation.duration',
    kind: 'histogram',
    unit: 's',
    help: 'Duration of calls of Redis, failures too, in seconds, by outcome.',
    labels: { outcome: oneOf(...REDIS_OUTCOMES) },
    boundaries: REDIS_SECONDS,
  },
  collectionErrors: {
    name: 'grantex_metrics_collection_errors_total',
    instrument: 'grantex.metrics.collection_errors',
    kind: 'counter',
    unit: '{error}',
    help: 'Failures while reading or writing out metrics.',
    labels: {},
  },
} as const satisfies Record<string, Family>;
