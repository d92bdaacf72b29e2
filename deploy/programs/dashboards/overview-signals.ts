import { FIRING } from './alerts.ts';
import type { Row } from './dashboard.ts';
import { stat } from './panels.ts';
import { count, orZero, quantile, series, share } from './queries.ts';
import { SIGNALS } from './signals.ts';

const exchanges = (...matchers: string[]) =>
  count(series('grantex_token_exchange_total', ...matchers), '', '5m');
const refreshes = (...matchers: string[]) =>
  count(series('grantex_token_refresh_total', ...matchers), '', '5m');
const deliveries = (...matchers: string[]) =>
  count(series('grantex_webhook_deliveries_total', ...matchers), '', '15m');

/** The seven signals of the alerts, computed as the alerts compute them. */
export const signalsNow: Row = {
  title: 'The seven signals of the alerts',
  panels: [
    stat({
      title: 'Alerts firing',
      description:
        'Alerts of this service that fire now. An alert that fires as warning and as critical counts once. If it is not 0, look at the red ranges on the graphs, and open the runbook that the alert links to.',
      unit: 'none',
      width: 3,
      // A warning and the critical alert of the same name are one problem.
      queries: [{ expr: orZero(`count(max by (alertname, job) (${FIRING}))`) }],
    }),
    stat({
      title: 'Health check',
      description:
        'Failed probes of GET /health within 45 s, for the worst replica. There are three probes in 45 s. If one fails, the service or its database does not answer: see the runbook.',
      unit: 'none',
      width: 3,
      decimals: 0,
      queries: [
        {
          expr: `max(count_over_time(probe_success{job=~"\${job}-health"}[45s]) - sum_over_time(probe_success{job=~"\${job}-health"}[45s]))`,
        },
      ],
      signal: SIGNALS.healthCheckFailures,
      words: [
        { from: 0, to: 0, text: 'OK', color: 'green' },
        { from: 1, to: 2, text: 'failing', color: 'orange' },
        { from: 3, to: null, text: 'down', color: 'red' },
      ],
      noValue: 'not probed',
    }),
    stat({
      title: 'Exchanges failed',
      description:
        'Share of token exchanges of the last 5 minutes that ended in an error. If it rises, look at the refused codes and at the database.',
      unit: 'percentunit',
      width: 3,
      decimals: 1,
      queries: [{ expr: share(exchanges('status="error"'), exchanges()) }],
      signal: SIGNALS.exchangeFailures,
      noValue: 'no traffic',
    }),
    stat({
      title: 'Refreshes failed',
      description:
        'Share of token refreshes of the last 5 minutes that were refused or failed. If it rises, a client uses refresh tokens twice, or its clock is wrong.',
      unit: 'percentunit',
      width: 3,
      decimals: 1,
      queries: [{ expr: share(refreshes('status="error"'), refreshes()) }],
      signal: SIGNALS.refreshFailures,
      noValue: 'no traffic',
    }),
    stat({
      title: 'Authorize p99',
      description:
        '99 of 100 requests for authorization of the last 5 minutes were faster than about this. It is an estimate within a bucket (500 ms to 1 s, 1 to 2.5 s). If it is high, look at the database and the event loop below.',
      unit: 'ms',
      width: 3,
      decimals: 0,
      queries: [{ expr: `1000 * ${quantile(0.99, 'grantex_authorize_duration_seconds', [], '', '5m')}` }],
      signal: SIGNALS.authorizeP99Seconds,
      scale: 1000,
      noValue: 'no traffic',
    }),
    stat({
      title: 'Webhooks delivered',
      description:
        'Share of webhook deliveries that ended within the last 15 minutes and reached their receiver. If it falls, the panel of attempts shows why they fail.',
      unit: 'percentunit',
      width: 3,
      decimals: 1,
      queries: [{ expr: share(deliveries('status="delivered"'), deliveries()) }],
      signal: SIGNALS.webhookSuccess,
      noValue: 'none ended',
    }),
    stat({
      title: '429 per minute',
      description:
        'Requests a minute that rate limits refused, over the last 5 minutes. If there are many, one caller has a fault or attacks. The log line rate_limit.hit has its address.',
      unit: 'reqpm',
      width: 3,
      decimals: 0,
      queries: [{ expr: `60 * sum(rate(${series('grantex_rate_limited_total')}[5m]))` }],
      signal: SIGNALS.rateLimitedPerMinute,
    }),
    stat({
      title: 'Anomalies, 1 h',
      description:
        'Anomalies opened within the last hour. Look at GET /v1/anomalies, acknowledge what is harmless, revoke what is not.',
      unit: 'none',
      width: 3,
      decimals: 0,
      queries: [{ expr: `floor(${count(series('grantex_anomalies_detected_total'), '', '1h')})` }],
      signal: SIGNALS.anomaliesPerHour,
    }),
  ],
};
