/** What is alerted on: the numbers of the telemetry contract. A test compares them with the rules of Prometheus. */
export interface Signal {
  /** As the alert has them: a share of one, a count, or seconds. */
  readonly warning: number;
  readonly critical: number;
  /** The value is worse when it is lower. */
  readonly falling?: boolean;
  /** Names of the rules; each has a runbook in deploy/runbooks. */
  readonly alerts: readonly string[];
}

export const SIGNALS = {
  exchangeFailures: { warning: 0.05, critical: 0.15, alerts: ['HighTokenExchangeFailureRate'] },
  refreshFailures: { warning: 0.05, critical: 0.15, alerts: ['HighTokenRefreshFailureRate'] },
  anomaliesPerHour: { warning: 5, critical: 10, alerts: ['AnomaliesDetected'] },
  webhookSuccess: { warning: 0.98, critical: 0.95, falling: true, alerts: ['WebhookDeliveryFailure'] },
  rateLimitedPerMinute: { warning: 50, critical: 200, alerts: ['HighRateLimitRate'] },
  authorizeP99Seconds: { warning: 0.5, critical: 2, alerts: ['HighAuthLatency'] },
  healthCheckFailures: { warning: 1, critical: 3, alerts: ['HealthCheckFailing'] },
} satisfies Record<string, Signal>;

/** Where a person reads the runbook of an alert. */
export const runbookUrl = (alert: string): string => `\${runbooks}/${alert}.md`;
