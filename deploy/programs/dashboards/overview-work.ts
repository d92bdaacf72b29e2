import { ATTEMPT_OUTCOMES } from '../../../src/label-values.ts';
import type { Row } from './dashboard.ts';
import { gauge, graph, heatmap, stat } from './panels.ts';
import { count, globalGauge, perSecond, quantile, series, share } from './queries.ts';
import { SIGNALS, succeeded } from './signals.ts';

const EXCHANGE = 'grantex_token_exchange_total';
const AUTHORIZE = 'grantex_authorize_total';
const REFRESH = 'grantex_token_refresh_total';

/** The dots of exemplars stand at their durations in seconds, so the lines are in seconds, too. */
const latency = (histogram: string) => [
  { expr: quantile(0.5, histogram), legend: 'p50' },
  { expr: quantile(0.99, histogram), legend: 'p99' },
];

const buckets = (histogram: string) => [
  { expr: `sum by (le) (rate(${series(`${histogram}_bucket`)}[$__rate_interval]))`, legend: '{{le}}' },
];

const OUTCOMES = ['success', 'error'];

export const tokens: Row = {
  title: 'Tokens and authorization',
  panels: [
    graph({
      title: 'Token exchange rate',
      description:
        'Codes exchanged for grant tokens, by outcome. 401 and 429 do not count as attempts. If there are attempts and no success, see the runbook of the failure rate.',
      unit: 'ops',
      width: 10,
      queries: [{ expr: perSecond(series(EXCHANGE), 'status'), legend: '{{status}}', names: OUTCOMES }],
      runbooks: SIGNALS.exchangeFailures.alerts,
    }),
    gauge({
      title: 'Token exchange success rate',
      description:
        'Share of token exchanges within the time shown that succeeded. Its limits are the limits of the alert on failures, subtracted from 100 %.',
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
        'Share of attempts that failed. The alerts begin at the dashed lines. If one line rises, look at the clients of that route. If both rise, look at the database.',
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
        'p50 and p99 of requests for authorization, failures included. The alert begins at the dashed lines. A dot is one traced request: click it to open its trace in Jaeger and see which step was slow.',
      unit: 's',
      width: 12,
      queries: latency('grantex_authorize_duration_seconds'),
      signal: SIGNALS.authorizeP99Seconds,
      noValue: 'no traffic',
    }),
    graph({
      title: 'Token exchange latency',
      description:
        'p50 and p99 of token exchanges, failures included. Every success makes one RS256 signature. A dot is one traced request: click it to open its trace in Jaeger.',
      unit: 's',
      width: 12,
      queries: latency('grantex_token_exchange_duration_seconds'),
      noValue: 'no traffic',
    }),
    heatmap({
      title: 'Authorize latency, all requests',
      description:
        'Requests a second by duration. Two bands are two kinds of requests, which a percentile hides. A dot is one traced request: click it to open its trace in Jaeger.',
      unit: 's',
      width: 12,
      queries: buckets('grantex_authorize_duration_seconds'),
      noValue: 'no traffic',
    }),
    heatmap({
      title: 'Token exchange latency, all requests',
      description:
        'Exchanges a second by duration. Two bands are two kinds of exchanges, which a percentile hides. A dot is one traced request: click it to open its trace in Jaeger.',
      unit: 's',
      width: 12,
      queries: buckets('grantex_token_exchange_duration_seconds'),
      noValue: 'no traffic',
    }),
    graph({
      title: 'Requests for authorization',
      description:
        'Requests by outcome. denied is the refusal of a policy. error is every other failure. If many are denied after a change of a policy, check that policy.',
      unit: 'ops',
      width: 8,
      queries: [
        {
          expr: perSecond(series(AUTHORIZE), 'status'),
          legend: '{{status}}',
          names: ['success', 'denied', 'error'],
        },
      ],
    }),
    graph({
      title: 'Decisions of people',
      description:
        'Consent pages that people answered. If there are none while authorizations go on, the page or the link to it is broken.',
      unit: 'cpm',
      width: 8,
      queries: [
        {
          expr: `60 * ${perSecond(series('grantex_consent_decisions_total'), 'decision')}`,
          legend: '{{decision}}',
          names: ['approved', 'denied'],
        },
      ],
    }),
    graph({
      title: 'Tokens verified and refreshed',
      description:
        'Online verifications by result, and refreshes by outcome. If many are invalid, clients still use revoked or expired tokens.',
      unit: 'ops',
      width: 8,
      queries: [
        {
          expr: perSecond(series('grantex_token_verifications_total'), 'result'),
          legend: 'verify: {{result}}',
          names: ['verify: valid', 'verify: invalid'],
        },
        {
          expr: perSecond(series(REFRESH), 'status'),
          legend: 'refresh: {{status}}',
          names: OUTCOMES.map((status) => `refresh: ${status}`),
        },
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
        'Grants that are active and have not expired, in the whole database, at most 5 s old. A sudden fall means a mass revocation.',
      unit: 'locale',
      width: 4,
      height: 8,
      decimals: 0,
      queries: [{ expr: globalGauge('grantex_active_grants') }],
    }),
    graph({
      title: 'Active grants over time',
      description:
        'The number of active grants over time. Its slope is created grants less revoked and expired grants.',
      unit: 'locale',
      width: 10,
      queries: [{ expr: globalGauge('grantex_active_grants'), legend: 'active' }],
    }),
    graph({
      title: 'Grants made and revoked',
      description:
        'Grants a minute. A revocation counts every grant that it ended, on every path. If you did not cause a spike, look for revokedBy in the log lines grant.revoked.',
      unit: 'cpm',
      width: 10,
      queries: [
        {
          expr: `60 * ${perSecond(series('grantex_grants_created_total'), 'origin')}`,
          legend: 'made by {{origin}}',
          names: ['made by consent', 'made by delegation'],
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
        'Deliveries a minute that ended with a 2xx or with a failed last attempt. GET /v1/webhooks/:id/deliveries lists the failed ones.',
      unit: 'cpm',
      width: 8,
      queries: [
        {
          expr: `60 * ${perSecond(series('grantex_webhook_deliveries_total'), 'status')}`,
          legend: '{{status}}',
          names: ['delivered', 'failed'],
        },
      ],
      runbooks: SIGNALS.webhookSuccess.alerts,
    }),
    graph({
      title: 'Attempts, by how they ended',
      description:
        'Why deliveries fail. 4xx and 5xx: the receiver. timeout and refused: its network. blocked: our rule against private addresses.',
      unit: 'cpm',
      width: 8,
      queries: [
        {
          expr: `60 * ${perSecond(series('grantex_webhook_attempts_total'), 'outcome')}`,
          legend: '{{outcome}}',
          names: ATTEMPT_OUTCOMES,
        },
      ],
      runbooks: SIGNALS.webhookSuccess.alerts,
    }),
    graph({
      title: 'Deliveries due without an attempt',
      description:
        'How long any webhook has had a delivery that is due while none of its attempts ended. Pauses before retries do not count, and a slow receiver accounts for one timeout at most. If it keeps rising, no replica works on the queue: see the runbook.',
      unit: 's',
      width: 8,
      runbooks: ['WebhookQueueStuck'],
      queries: [{ expr: `max(${series('grantex_webhook_oldest_pending_seconds')})`, legend: 'due for' }],
    }),
  ],
};
