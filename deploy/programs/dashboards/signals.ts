/** A value that has alerts, with their limits. A test compares the limits with the rules of Prometheus. */
export interface Signal {
  /** The limits in the unit of the alert: a share of one, a count, or seconds. */
  readonly warning: number;
  readonly critical: number;
  /** Lower values are worse. */
  readonly falling?: boolean;
  /** The names of the alerts. Each has a runbook in deploy/runbooks. */
  readonly alerts: readonly string[];
}

/** The seven signals of the telemetry contract. */
export const SIGNALS = {
  exchangeFailures: { warning: 0.05, critical: 0.15, alerts: ['HighTokenExchangeFailureRate'] },
  refreshFailures: { warning: 0.05, critical: 0.15, alerts: ['HighTokenRefreshFailureRate'] },
  anomaliesPerHour: { warning: 5, critical: 10, alerts: ['AnomaliesDetected'] },
  webhookSuccess: { warning: 0.98, critical: 0.95, falling: true, alerts: ['WebhookDeliveryFailure'] },
  rateLimitedPerMinute: { warning: 50, critical: 200, alerts: ['HighRateLimitRate'] },
  authorizeP99Seconds: { warning: 0.5, critical: 2, alerts: ['HighAuthLatency'] },
  healthCheckFailures: { warning: 1, critical: 3, alerts: ['HealthCheckFailing'] },
} satisfies Record<string, Signal>;

/** Other signals whose limits are drawn as lines. */
export const MORE_SIGNALS = {
  databaseErrors: { warning: 0.01, critical: 0.1, alerts: ['DatabaseErrors'] },
  databaseWaitP95Seconds: { warning: 0.1, critical: 0.5, alerts: ['DatabaseConnectionsWaiting'] },
  statementsEndedPer5Minutes: { warning: 5, critical: 50, alerts: ['DatabaseStatementsEnded'] },
  authenticationFailuresPerMinute: { warning: 30, critical: 300, alerts: ['AuthenticationFailures'] },
  signingKeysReadSeconds: { warning: 60, critical: 120, alerts: ['SigningKeysStale'] },
} satisfies Record<string, Signal>;

/** Burn rates in error budgets per period: the slowest that opens a ticket, and the slowest that pages somebody. */
export const BURN: Signal = { warning: 1, critical: 6, alerts: [] };

/** The same limits, converted from a share of failures to a share of successes. */
export const succeeded = ({ warning, critical, alerts }: Signal): Signal => ({
  warning: 1 - warning,
  critical: 1 - critical,
  falling: true,
  alerts,
});
