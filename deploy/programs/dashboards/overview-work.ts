import type { Row } from './dashboard.ts';
import { gauge, graph, stat } from './panels.ts';
import { count, globalGauge, perSecond, quantile, series, share } from './queries.ts';
import { SIGNALS, succeeded } from './signals.ts';

const EXCHANGE = 'grantex_token_exchange_total';
const AUTHORIZE = 'grantex_authorize_total';
const REFRESH = 'grantex_token_refresh_total';

/**
 * Latency with links to traces. The dots are exemplars of spans. The collector counts spans in milliseconds, so the
 * whole panel is in milliseconds.
 */
const latency = (histogram: string, span: string) => [
  { expr: `1000 * ${quantile(0.5, histogram)}`, legend: 'p50' },
  { expr: `1000 * ${quantile(0.99, histogram)}`, legend: 'p99' },
  {
    expr: `histogram_quantile(0.99, sum by (le) (rate(traces_span_metrics_duration_milliseconds_bucket{span_name="${span}"}[$__rate_interval])))`,
    legend: 'p99 of traced requests',
    exemplar: true,
  },
];

export const tokens: Row = {
  title: 'Tokens and authorization',
  panels: [
    graph({
      title: 'Token exchange rate',
      description:
        'Codes exchanged for grant tokens, by outcome. 401 and 429 are not attempts. No success while there are attempts: see the runbook of the failure rate.',
      unit: 'ops',
      width: 10,
      queries: [{ expr: perSecond(series(EXCHANGE), 'status'), legend: '{{status}}' }],
      runbooks: SIGNALS.exchangeFailures.alerts,
    }),
    gauge({
      title: 'Token exchange success rate',
      description:
        'Share of token exchanges within the time shown that succeeded. Its limits are those of the alert on failures, seen from the other side.',
      unit: 'percentunit',
      width: 5,
      min: 0,
      max: 1,
      decimals: 1,
      queries: [
        {
          expr: share(
            count(series(EXCHANGE, 'status="success"'), '', '$__range'),
            count(series(EXCHANGE), '', '$__range'),
          ),
        },
      ],
      signal: succeeded(SIGNALS.exchangeFailures),
      noValue: 'no traffic',
    }),
    graph({
      title: 'Failures of exchange and refresh',
      description:
        'Share of attempts that failed. Dashed lines are where the alerts begin. One line alone: the clients of that route; both at once: the database.',
      unit: 'percentunit',
      width: 9,
      queries: [
        {
          expr: share(perSecond(series(EXCHANGE, 'status="error"')), perSecond(series(EXCHANGE))),
          legend: 'exchange',
        },
        {
          expr: share(perSecond(series(REFRESH, 'status="error"')), perSecond(series(REFRESH))),
          legend: 'refresh',
        },
      ],
      signal: {
        ...SIGNALS.exchangeFailures,
        alerts: [...SIGNALS.exchangeFailures.alerts, ...SIGNALS.refreshFailures.alerts],
      },
      noValue: 'no traffic',
    }),
    graph({
      title: 'Authorize latency',
      description:
        'p50 and p99 of requests for authorization, failures too. A dot is one traced request: click it to open its trace in Jaeger and see which step was slow. The line of traced requests carries the dots and is no measure: it knows sampled traces only, some twice while the collector is full. The alert counts by /metrics.',
      unit: 'ms',
      width: 12,
      queries: latency('grantex_authorize_duration_seconds', 'POST /v1/authorize'),
      signal: SIGNALS.authorizeP99Seconds,
      scale: 1000,
      noValue: 'no traffic',
    }),
    graph({
      title: 'Token exchange latency',
      description:
        'p50 and p99 of token exchanges, failures too; every success makes one RS256 signature. A dot is one traced request: click it to open its trace in Jaeger. The line of traced requests carries the dots and is no measure: it knows sampled traces only, some twice while the collector is full.',
      unit: 'ms',
      width: 12,
      queries: latency('grantex_token_exchange_duration_seconds', 'POST /v1/token'),
      noValue: 'no traffic',
    }),
    graph({
      title: 'Requests for authorization',
      description:
        'By outcome. denied is the refusal of a policy, error everything else. Many denied after a change of a policy: read that policy again.',
      unit: 'ops',
      width: 8,
      queries: [{ expr: perSecond(series(AUTHORIZE), 'status'), legend: '{{status}}' }],
    }),
    graph({
      title: 'Decisions of people',
      description:
        'Consent pages that were answered. None, while authorizations go on: the page or the way to it is broken.',
      unit: 'cpm',
      width: 8,
      queries: [
        {
          expr: `60 * ${perSecond(series('grantex_consent_decisions_total'), 'decision')}`,
          legend: '{{decision}}',
        },
      ],
    }),
    graph({
      title: 'Tokens verified and refreshed',
      description:
        'Online verifications by result, and refreshes by outcome. Many invalid: tokens that were revoked or have expired are still in use.',
      unit: 'ops',
      width: 8,
      queries: [
        {
          expr: perSecond(series('grantex_token_verifications_total'), 'result'),
          legend: 'verify: {{result}}',
        },
        { expr: perSecond(series(REFRESH), 'status'), legend: 'refresh: {{status}}' },
      ],
    }),
  ],
};

export const grants: Row = {
  title: 'Grants',
  panels: [
    stat({
      title: 'Active grants',
      description:
        'Grants that are active and have not expired, in the whole database, at most 5 s old. A sudden fall is a mass revocation.',
      unit: 'locale',
      width: 4,
      height: 8,
      decimals: 0,
      queries: [{ expr: globalGauge('grantex_active_grants') }],
    }),
    graph({
      title: 'Active grants over time',
      description: 'The same over time. Created less revoked and expired is its slope.',
      unit: 'locale',
      width: 10,
      queries: [{ expr: globalGauge('grantex_active_grants'), legend: 'active' }],
    }),
    graph({
      title: 'Grants made and revoked',
      description:
        'A minute. A revocation counts every grant that fell with it, whatever the path. A spike without a reason of yours: look for revokedBy in the log lines grant.revoked.',
      unit: 'cpm',
      width: 10,
      queries: [
        {
          expr: `60 * ${perSecond(series('grantex_grants_created_total'), 'origin')}`,
          legend: 'made by {{origin}}',
        },
        { expr: `60 * ${perSecond(series('grantex_grants_revoked_total'))}`, legend: 'revoked' },
      ],
    }),
  ],
};

export const webhooks: Row = {
  title: 'Webhooks',
  panels: [
    graph({
      title: 'Webhook deliveries',
      description:
        'Deliveries that reached their end, a minute: a 2xx, or the last attempt failed. Failed ones are in GET /v1/webhooks/:id/deliveries.',
      unit: 'cpm',
      width: 8,
      queries: [
        {
          expr: `60 * ${perSecond(series('grantex_webhook_deliveries_total'), 'status')}`,
          legend: '{{status}}',
        },
      ],
      runbooks: SIGNALS.webhookSuccess.alerts,
    }),
    graph({
      title: 'Attempts, by how they ended',
      description:
        'Why deliveries fail: 4xx and 5xx are the receiver, timeout and refused its network, blocked our own rule against private addresses.',
      unit: 'cpm',
      width: 8,
      queries: [
        {
          expr: `60 * ${perSecond(series('grantex_webhook_attempts_total'), 'outcome')}`,
          legend: '{{outcome}}',
        },
      ],
      runbooks: SIGNALS.webhookSuccess.alerts,
    }),
    graph({
      title: 'Oldest delivery that is due',
      description:
        'How long its attempt has been due; the pause before a retry does not count. Rising without end: no replica works the queue off, or a receiver is slower than its events. See the runbook.',
      unit: 's',
      width: 8,
      runbooks: ['WebhookQueueStuck'],
      queries: [{ expr: `max(${series('grantex_webhook_oldest_pending_seconds')})`, legend: 'due for' }],
    }),
  ],
};
