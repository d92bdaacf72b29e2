// Terms of the domain that are also all values of a label. The code that counts and the exported family share one list.

/** The HTTP methods that metrics name. They are the values of the `method` label of `grantex_http_request_duration_seconds`. */
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
] as const;

/**
 * The requests that have an error budget (`deploy/programs/rules/slo`), with the status of their success. Their series are in
 * `grantex_http_request_duration_seconds` from the first scrape, so that even an outage shorter than the time between two
 * scrapes is in the budget.
 */
export const BUDGETED_REQUESTS = [
  { method: 'POST', route: '/v1/authorize', success: 201 },
  { method: 'POST', route: '/v1/token', success: 201 },
  { method: 'POST', route: '/v1/tokens/verify', success: 200 },
] as const;

/** How an attempt to deliver a webhook can end; also the values of the `outcome` label of `grantex_webhook_attempts_total`. */
export const ATTEMPT_OUTCOMES = ['2xx', '3xx', '4xx', '5xx', 'timeout', 'refused', 'blocked'] as const;
export type AttemptOutcome = (typeof ATTEMPT_OUTCOMES)[number];

/** What ended a statement before its time; also the values of the `by` label of `grantex_statements_ended_total`. */
export const STATEMENT_ENDS = ['statement_timeout', 'lock_timeout', 'idle_in_transaction', 'cancel'] as const;
export type StatementEnd = (typeof STATEMENT_ENDS)[number];

/** How grave each type of anomaly is; also the values of the labels of `grantex_anomalies_detected_total`. */
export const ANOMALY_SEVERITIES = {
  rate_spike: 'high',
  high_failure_rate: 'medium',
  new_principal: 'low',
  off_hours_activity: 'low',
  unusual_scope_access: 'high',
  cascade_delegation: 'high',
} as const;
export type AnomalyType = keyof typeof ANOMALY_SEVERITIES;
export const ANOMALY_TYPES = Object.keys(ANOMALY_SEVERITIES) as readonly AnomalyType[];
export type AnomalySeverity = (typeof ANOMALY_SEVERITIES)[AnomalyType];

/** How a call of Redis can end; also the values of the `outcome` label of `redis_client_operation_duration_seconds`. */
export const REDIS_OUTCOMES = ['ok', 'error', 'timeout'] as const;
export type RedisOutcome = (typeof REDIS_OUTCOMES)[number];

/** The tables that lose what has ended; also the values of the `table` label of the retention metrics. */
export const RETENTION_TABLES = [
  'authorization_requests',
  'tokens',
  'refresh_tokens',
  'anomalies',
  'grants',
  'audit_entries',
] as const;
export type RetentionTable = (typeof RETENTION_TABLES)[number];

/** How a client follows a feed; also the values of the `transport` label of the metrics of feeds. */
export const TRANSPORTS = ['poll', 'stream'] as const;
export type Transport = (typeof TRANSPORTS)[number];

/** Why the service closed a connection; also the values of the `reason` label of `grantex_http_connections_closed_total`. */
export const CONNECTION_ENDS = ['limit', 'address_limit', 'stalled', 'slow_reader'] as const;
export type ConnectionEnd = (typeof CONNECTION_ENDS)[number];

/** Why the HTTP server refused what never became a request; also the values of the label of `grantex_http_refused_total`. */
export const HTTP_REFUSALS = ['headers_too_large', 'malformed', 'connect', 'method', 'timeout'] as const;
export type HttpRefusal = (typeof HTTP_REFUSALS)[number];

/** What callers show to be let in; also the values of the `credential` label of `grantex_authentication_failures_total`. */
export const CREDENTIALS = ['api_key', 'session_token'] as const;
export type Credential = (typeof CREDENTIALS)[number];

/** Why a credential was refused; also the values of the `reason` label of `grantex_authentication_failures_total`. */
export const AUTHENTICATION_REASONS = ['missing', 'malformed', 'unknown', 'expired'] as const;
export type AuthenticationReason = (typeof AUTHENTICATION_REASONS)[number];

/** What can happen to what developers and operators set up; also the label sets of `grantex_admin_changes_total`. */
export const ADMIN_CHANGES = {
  developer: ['created', 'suspended', 'resumed'],
  key: ['created', 'deleted', 'rotated'],
  agent: ['created', 'updated', 'deleted', 'suspended', 'resumed'],
  policy: ['created', 'updated', 'deleted'],
  webhook: ['created', 'deleted', 'rotated'],
  session: ['created'],
  signing_key: ['created', 'rotated', 'revoked'],
} as const;

/** Why a token was found invalid. */
export const VERIFICATION_FAILURES = [
  'malformed',
  'bad_signature',
  'unknown_key',
  'wrong_issuer',
  'expired',
  'revoked',
  'not_found',
  'other_developer',
  'agent_suspended',
] as const;
export type VerificationFailure = (typeof VERIFICATION_FAILURES)[number];

/** What every operation can be refused for: the form of the request, a failure of the service, or a part that is away. */
const ANYWHERE = ['bad_request', 'internal_error', 'unavailable'] as const;

/**
 * Why each operation can be refused; also the label sets of `grantex_refusals_total`, and the words of its log lines and spans.
 * 401 and 429 have families of their own.
 */
export const REFUSAL_REASONS = {
  authorize: ['unknown_agent', 'agent_suspended', 'scope_not_registered', 'policy_denied', ...ANYWHERE],
  exchange: [
    'unknown_agent',
    'agent_suspended',
    'unknown_code',
    'wrong_agent',
    'code_used',
    'code_expired',
    'wrong_verifier',
    ...ANYWHERE,
  ],
  refresh: [
    'unknown_agent',
    'agent_suspended',
    'unknown_token',
    'wrong_agent',
    'token_used',
    'grant_revoked',
    'grant_expired',
    ...ANYWHERE,
  ],
  verify: [...VERIFICATION_FAILURES, ...ANYWHERE],
  delegate: [
    'invalid_parent_token',
    'other_developer',
    'parent_not_active',
    'unknown_agent',
    'agent_suspended',
    'scope_not_held',
    'depth_exceeded',
    ...ANYWHERE,
  ],
  consent: ['unknown_request', 'already_decided', 'request_expired', 'not_sandbox', ...ANYWHERE],
  introspect: [...VERIFICATION_FAILURES, ...ANYWHERE],
} as const;
export type RefusableOperation = keyof typeof REFUSAL_REASONS;
export type RefusalReason = (typeof REFUSAL_REASONS)[RefusableOperation][number];

/** What a principal can decide; also the values of the `decision` labels. */
export const DECISIONS = ['approved', 'denied'] as const;
export type Decision = (typeof DECISIONS)[number];

/** How a request for authorization can end; also the values of the `end` label of `grantex_authorization_requests_ended_total`. */
export const REQUEST_ENDS = [
  'exchanged',
  'denied',
  'expired_undecided',
  'expired_unused',
  'policy_denied',
] as const;

/** The label of all agents that have no series of their own, and of requests that named no known agent. */
export const OTHER_AGENT = 'other';
/** The greatest `METRICS_AGENT_LIMIT`. */
export const MAX_AGENT_SERIES = 10_000;
