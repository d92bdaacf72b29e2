// What counts as an anomaly, and what the service tells of itself.
import { MAX_AGENT_SERIES } from '../label-values.ts';
import { bearerKey, boolean, integer, LOG_LEVELS, oneOf, string, timeOfDay } from './values.ts';
import { optional, secret, variable } from './variable.ts';

export const ANOMALIES = {
  anomalyScanSeconds: variable(
    'ANOMALY_SCAN_SECONDS',
    integer(1, 86_400),
    '300',
    'Seconds between two scans of all agents, which one replica does for all.',
  ),
  anomalyRateOver: variable(
    'ANOMALY_RATE_OVER',
    integer(0, 1_000_000),
    '50',
    '`rate_spike`: more tokens of one agent than this in the window,',
  ),
  anomalyRateFactor: variable(
    'ANOMALY_RATE_FACTOR',
    integer(1, 1000),
    '10',
    'and more than this many times its baseline.',
  ),
  anomalyRateWindowMinutes: variable(
    'ANOMALY_RATE_WINDOW_MINUTES',
    integer(1, 1440),
    '60',
    '`rate_spike`: minutes of the window.',
  ),
  anomalyRateBaselineHours: variable(
    'ANOMALY_RATE_BASELINE_HOURS',
    integer(1, 720),
    '24',
    '`rate_spike`: hours before the window that make the baseline.',
  ),
  anomalyFailureEntries: variable(
    'ANOMALY_FAILURE_ENTRIES',
    integer(1, 1_000_000),
    '5',
    '`high_failure_rate`: fewest actions and exchanges that are judged.',
  ),
  anomalyFailurePercent: variable(
    'ANOMALY_FAILURE_PERCENT',
    integer(0, 100),
    '20',
    '`high_failure_rate`: a greater share of failures is too much.',
  ),
  anomalyFailureWindowHours: variable(
    'ANOMALY_FAILURE_WINDOW_HOURS',
    integer(1, 720),
    '24',
    '`high_failure_rate`: hours of the window.',
  ),
  anomalyOffHoursOver: variable(
    'ANOMALY_OFF_HOURS_OVER',
    integer(0, 1_000_000),
    '10',
    '`off_hours_activity`: more tokens of one agent than this within the off hours.',
  ),
  anomalyOffHoursStart: variable(
    'ANOMALY_OFF_HOURS_START',
    timeOfDay,
    '22:00',
    '`off_hours_activity`: begin of the off hours, HH:mm UTC.',
  ),
  anomalyOffHoursEnd: variable(
    'ANOMALY_OFF_HOURS_END',
    timeOfDay,
    '06:00',
    '`off_hours_activity`: end of the off hours, HH:mm UTC.',
  ),
  anomalyOffHoursWindowHours: variable(
    'ANOMALY_OFF_HOURS_WINDOW_HOURS',
    integer(1, 720),
    '24',
    '`off_hours_activity`: hours that are looked back.',
  ),
  anomalyCascadeMargin: variable(
    'ANOMALY_CASCADE_MARGIN',
    integer(0, 10),
    '1',
    '`cascade_delegation`: levels below the limit of delegation that count as next to it.',
  ),
};

export const TELEMETRY = {
  metricsEnabled: variable(
    'METRICS_ENABLED',
    boolean,
    'true',
    'false: nothing is recorded and `/metrics` is a 404.',
  ),
  metricsHost: optional(
    'METRICS_HOST',
    string(1, 255),
    'Address of a separate listener for `/metrics`. Unset: that of the service.',
  ),
  metricsPort: optional(
    'METRICS_PORT',
    integer(0, 65535),
    'Port of a separate listener for `/metrics`. Unset: that of the service, where everybody who reaches the service can read it.',
  ),
  metricsApiKey: secret(
    optional(
      'METRICS_API_KEY',
      bearerKey(1, 512),
      'Bearer token (1 to 512 visible ASCII characters) that `/metrics` demands. Unset: none.',
    ),
  ),
  metricsPerAgent: variable('METRICS_PER_AGENT', boolean, 'true', 'false: no families by agent.'),
  metricsAgentNames: variable(
    'METRICS_AGENT_NAMES',
    boolean,
    'false',
    'true: `grantex_agent_info` tells the names of agents to whoever may read `/metrics`.',
  ),
  metricsAgentLimit: variable(
    'METRICS_AGENT_LIMIT',
    integer(1, MAX_AGENT_SERIES),
    '500',
    'Most agents of the deployment that get series of their own, the first ones that were counted. The others share `other`. Set it alike on all replicas.',
  ),
  logLevel: variable('LOG_LEVEL', oneOf(LOG_LEVELS), 'info', '`trace` to `fatal`, or `silent`.'),
  trustTraceContext: variable(
    'TRUST_TRACE_CONTEXT',
    boolean,
    'false',
    'true: an incoming `traceparent` header is honoured.',
  ),
  capturePrincipal: variable(
    'OTEL_CAPTURE_PRINCIPAL',
    boolean,
    'false',
    'true: spans carry the id of the principal.',
  ),
};
