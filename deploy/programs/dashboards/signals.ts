/** What is alerted on, with the numbers of the alerts. A test compares them with the rules of Prometheus. */
export interface Signal {
  /** As the alert has them: a share of one, a count, or seconds. */
  readonly warning: number;
  readonly critical: number;
  /** The value is worse when it is lower. */
  readonly falling?: boolean;
  /** Names of the rules; each has a runbook in deploy/runbooks. */
  readonly alerts: readonly string[];
}

/** The seven of the telemetry contract. */
export const SIGNALS = {
  exchangeFailures: { warning: 0.05, critical: 0.15, alerts: ['HighTokenExchangeFailureRate'] },
  refreshFailures: { warning: 0.05, critical: 0.15, alerts: ['HighTokenRefreshFailureRate'] },
  anomaliesPerHour: { warning: 5, critical: 10, alerts: ['AnomaliesDetected'] },
  webhookSuccess: { warning: 0.98, critical: 0.95, falling: true, alerts: ['WebhookDeliveryFailure'] },
  rateLimitedPerMinute: { warning: 50, critical: 200, alerts: ['HighRateLimitRate'] },
  authorizeP99Seconds: { warning: 0.5, critical: 2, alerts: ['HighAuthLatency'] },
  healthCheckFailures: { warning: 1, critical: 3, alerts: ['HealthCheckFailing'] },
} satisfies Record<string, Signal>;

/** The others that are drawn as lines. */
export const MORE_SIGNALS = {
  databaseErrors: { warning: 0.01, critical: 0.1, alerts: ['DatabaseErrors'] },
  databaseWaitP95Seconds: { warning: 0.1, critical: 0.5, alerts: ['DatabaseConnectionsWaiting'] },
  statementsEndedPer5Minutes: { warning: 5, critical: 50, alerts: ['DatabaseStatementsEnded'] },
  signingKeysReadSeconds: { warning: 60, critical: 120, alerts: ['SigningKeysStale'] },
} satisfies Record<string, Signal>;

/** Parts of the budget that burn, in budgets per period: the slowest that makes a ticket, the slowest that makes a page. */
export const BURN: Signal = { warning: 1, critical: 6, alerts: [] };

/** The same limits for the share that went well. */
export const succeeded = ({ warning, critical, alerts }: Signal): Signal => ({
  warning: 1 - warning,
  critical: 1 - critical,
  falling: true,
  alerts,
});
