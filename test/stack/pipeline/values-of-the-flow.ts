import { deliveriesOfTheFlow } from './deliveries-of-the-flow.ts';

const DELIVERIES = deliveriesOfTheFlow().length;

/**
 * The values of every family in Prometheus after `runFlow`, by labels. Families with several series list only those
 * above 0.
 */
export const VALUES_OF_THE_FLOW: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  grantex_token_exchange_total: { 'status=success': 1, 'status=error': 1 },
  grantex_token_exchange_duration_seconds_count: { '': 2 },
  grantex_authorize_total: { 'status=success': 1 },
  grantex_authorize_duration_seconds_count: { '': 1 },
  grantex_token_refresh_total: { 'status=success': 1 },
  grantex_token_verifications_total: { 'result=valid': 1, 'result=invalid': 1 },
  grantex_grants_created_total: { 'origin=consent': 1, 'origin=delegation': 1 },
  grantex_grants_revoked_total: { '': 2 },
  grantex_consent_decisions_total: { 'decision=approved': 1 },
  grantex_consent_wait_seconds_count: { 'decision=approved': 1 },
  grantex_authorization_requests_ended_total: { 'end=exchanged': 1 },
  grantex_refusals_total: {
    'operation=exchange reason=unknown_code': 1,
    'operation=verify reason=revoked': 1,
  },
  grantex_webhook_deliveries_total: { 'status=delivered': DELIVERIES },
  grantex_webhook_attempts_total: { 'outcome=2xx': DELIVERIES },
  grantex_webhook_oldest_pending_seconds: { '': 0 },
  grantex_anomalies_detected_total: { 'severity=low type=new_principal': 2 },
  grantex_anomalies_unacknowledged: { '': 2 },
  grantex_rate_limited_total: {},
  grantex_authentication_failures_total: {},
  grantex_admin_changes_total: {
    'change=created object=developer': 1,
    'change=created object=agent': 2,
    'change=created object=webhook': 1,
    'change=created object=signing_key': 1,
  },
  grantex_http_connections_closed_total: {},
  grantex_http_refused_total: {},
  grantex_retention_removed_total: {},
  grantex_retention_oldest_seconds: {},
  grantex_statements_ended_total: {},
  // Nobody follows a feed.
  grantex_revocation_feed_clients: {},
  grantex_event_stream_clients: {},
  grantex_active_grants: { '': 0 },
  grantex_grants_removal_pending: { '': 0 },
  grantex_signing_keys: { '': 1 },
  grantex_agent_token_exchange_total: {
    'agent_id=agent status=success': 1,
    'agent_id=agent status=error': 1,
  },
  grantex_agent_authorize_total: { 'agent_id=agent status=success': 1 },
  grantex_agent_authorize_duration_seconds_count: { 'agent_id=agent': 1 },
  grantex_agent_grants_created_total: {
    'agent_id=agent origin=consent': 1,
    'agent_id=sub-agent origin=delegation': 1,
  },
  grantex_agent_grants_revoked_total: { 'agent_id=agent': 1, 'agent_id=sub-agent': 1 },
  grantex_agent_webhook_deliveries_total: {
    'agent_id=agent status=delivered': 4,
    'agent_id=sub-agent status=delivered': 3,
  },
  grantex_agent_anomalies_detected_total: {
    'agent_id=agent severity=low type=new_principal': 1,
    'agent_id=sub-agent severity=low type=new_principal': 1,
  },
  grantex_telemetry_dropped_total: {},
  grantex_telemetry_faults_total: { '': 0 },
  grantex_metrics_collection_errors_total: { '': 0 },
};

/** Families whose value is an age. */
export const AGES = [
  'grantex_revocation_feed_lag_seconds',
  'grantex_signing_key_age_seconds',
  'grantex_signing_keys_read_age_seconds',
];
