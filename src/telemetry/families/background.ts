import { ANOMALY_SEVERITIES, ANOMALY_TYPES, ATTEMPT_OUTCOMES, RETENTION_TABLES } from '../../label-values.ts';
import { type Family, oneOf } from './family.ts';

/** What happens beside the requests: webhooks, anomalies, signing keys. */
export const BACKGROUND_FAMILIES = {
  webhookDeliveries: {
    name: 'grantex_webhook_deliveries_total',
    instrument: 'grantex.webhook.deliveries',
    kind: 'counter',
    unit: '{delivery}',
    help: 'Webhook deliveries that reached their end, by outcome.',
    labels: { status: oneOf('How the delivery ended.', ['delivered', 'failed']) },
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
    labels: { outcome: oneOf('How the attempt to deliver a webhook ended.', ATTEMPT_OUTCOMES) },
  },
  oldestPendingDelivery: {
    name: 'grantex_webhook_oldest_pending_seconds',
    instrument: 'grantex.webhook.oldest_pending',
    kind: 'observableGauge',
    unit: 's',
    help: 'How long any webhook has had a delivery that is due while none of its attempts ended, in seconds, in the whole database; 0: none is due.',
    note: 'A slow receiver accounts for `WEBHOOK_TIMEOUT_MS` at most.',
    labels: {},
  },
  anomaliesDetected: {
    name: 'grantex_anomalies_detected_total',
    instrument: 'grantex.anomalies.detected',
    kind: 'counter',
    unit: '{anomaly}',
    help: 'Anomalies opened, by type and severity; seeing an open one again counts nothing.',
    labels: {
      type: oneOf('Type of the anomaly.', ANOMALY_TYPES),
      severity: oneOf('Severity of the anomaly.', ['low', 'medium', 'high']),
    },
    seeds: ANOMALY_TYPES.map((type) => ({ type, severity: ANOMALY_SEVERITIES[type] })),
    perAgent: {
      name: 'grantex_agent_anomalies_detected_total',
      help: 'Anomalies opened, by type, severity and agent.',
    },
  },
  unacknowledgedAnomalies: {
    name: 'grantex_anomalies_unacknowledged',
    instrument: 'grantex.anomalies.unacknowledged',
    kind: 'observableGauge',
    unit: '{anomaly}',
    help: 'Anomalies that nobody has acknowledged, in the whole database; every replica reports the same value.',
    labels: {},
  },
  retentionRemoved: {
    name: 'grantex_retention_removed_total',
    instrument: 'grantex.retention.removed',
    kind: 'counter',
    unit: '{row}',
    help: 'Rows that were removed because they had ended long enough ago, by table.',
    labels: { table: oneOf('The table that lost the rows.', RETENTION_TABLES) },
  },
  retentionOldest: {
    name: 'grantex_retention_oldest_seconds',
    instrument: 'grantex.retention.oldest',
    kind: 'observableGauge',
    unit: 's',
    help: 'How long the oldest row that ought to be removed has been due for it, in seconds, by table, in the whole database; 0: none is due.',
    labels: { table: oneOf('The table that keeps the row.', RETENTION_TABLES) },
  },
  signingKeys: {
    name: 'grantex_signing_keys',
    instrument: 'grantex.signing_keys',
    kind: 'observableGauge',
    unit: '{key}',
    help: 'Keys that this replica publishes; 0: it can sign nothing.',
    labels: {},
  },
  signingKeyAge: {
    name: 'grantex_signing_key_age_seconds',
    instrument: 'grantex.signing_key.age',
    kind: 'observableGauge',
    unit: 's',
    help: 'How long the key that this replica signs with has been the one that signs, in seconds.',
    labels: {},
  },
  signingKeysReadAge: {
    name: 'grantex_signing_keys_read_age_seconds',
    instrument: 'grantex.signing_keys.read_age',
    kind: 'observableGauge',
    unit: 's',
    help: 'How long ago this replica last read the signing keys from the database, in seconds.',
    labels: {},
  },
} as const satisfies Record<string, Family>;
