import { NEUTRAL } from './colours.ts';
import type { Row } from './dashboard.ts';
import { gauge, graph, table } from './panels.ts';
import { countFromFirst, orZero, perSecond, quantile, series, share } from './queries.ts';
import { SIGNALS, succeeded } from './signals.ts';

const EXCHANGE = 'grantex_agent_token_exchange_total';
const AUTHORIZE = 'grantex_agent_authorize_total';
const DURATION = 'grantex_agent_authorize_duration_seconds';
const CREATED = 'grantex_agent_grants_created_total';
const REVOKED = 'grantex_agent_grants_revoked_total';
const DELIVERIES = 'grantex_agent_webhook_deliveries_total';
const ANOMALIES = 'grantex_agent_anomalies_detected_total';
const AGENT = 'agent_id=~"$agent_id"';
/** What each outcome means, for all agents: shades of one colour. */
const ATTEMPTS = [
  [' success$', 'green'],
  [' denied$', 'orange'],
  [' error$', 'red'],
] as const;
const ENDED = [
  [' delivered$', 'green'],
  [' failed$', 'red'],
] as const;
const NONE = 'no agent did that';

const of = (name: string, ...matchers: string[]) => series(name, AGENT, ...matchers);
/** Counts over the whole time shown. */
const total = (selector: string) => countFromFirst(selector, 'agent_id', '$__range');
/** An agent without a series of `expression` counts as 0 if it has a series of `like`. */
const orNone = (expression: string, like: string) => `(${expression} or 0 * ${like})`;

/** The limits of the alert on failures, as shares of success. */
const exchangeSuccess = succeeded(SIGNALS.exchangeFailures);

export const agentsNow: Row = {
  title: 'Agents within the time shown',
  panels: [
    table({
      title: 'Agents',
      description:
        'One line for each agent. Click an agent to see it alone. An agent that fails where others succeed is misconfigured, or is an impostor.',
      width: 24,
      height: 9,
      noValue: NONE,
      by: {
        label: 'agent_id',
        title: 'Agent',
        link: {
          title: 'Only this agent',
          url: `/d/grantex-per-agent?var-agent_id=\${__value.raw}&\${job:queryparam}&\${__url_time_range}`,
        },
      },
      columns: [
        { title: 'Authorizations', unit: 'locale', decimals: 0, expr: total(of(AUTHORIZE)) },
        { title: 'Token exchanges', unit: 'locale', decimals: 0, expr: total(of(EXCHANGE)) },
        {
          title: 'Exchanged well',
          unit: 'percentunit',
          decimals: 1,
          signal: exchangeSuccess,
          expr: share(
            orNone(total(of(EXCHANGE, 'status="success"')), total(of(EXCHANGE))),
            total(of(EXCHANGE)),
          ),
        },
        {
          title: 'Authorize p99',
          unit: 'ms',
          decimals: 0,
          signal: SIGNALS.authorizeP99Seconds,
          scale: 1000,
          expr: `1000 * ${quantile(0.99, DURATION, [AGENT], 'agent_id', '$__range')}`,
        },
        { title: 'Grants revoked', unit: 'locale', decimals: 0, expr: total(of(REVOKED)) },
        {
          title: 'Webhooks failed',
          unit: 'locale',
          decimals: 0,
          expr: total(of(DELIVERIES, 'status="failed"')),
        },
        { title: 'Anomalies', unit: 'locale', decimals: 0, expr: total(of(ANOMALIES)) },
      ],
    }),
  ],
};

export const perAgentRows: readonly Row[] = [
  {
    title: 'Tokens and authorization',
    panels: [
      graph({
        title: 'Token exchange rate',
        description:
          'Codes exchanged for grant tokens, by agent and outcome. If only one agent has errors, look at that agent.',
        unit: 'ops',
        width: 10,
        queries: [
          {
            expr: perSecond(of(EXCHANGE), 'agent_id, status'),
            legend: '{{agent_id}} {{status}}',
            shades: ATTEMPTS,
          },
        ],
        runbooks: SIGNALS.exchangeFailures.alerts,
        noValue: NONE,
      }),
      gauge({
        title: 'Token exchange success rate',
        description: 'Share of token exchanges that succeeded, for all chosen agents, within the time shown.',
        unit: 'percentunit',
        width: 5,
        min: 0,
        max: 1,
        decimals: 1,
        queries: [
          {
            expr: share(
              orZero(countFromFirst(of(EXCHANGE, 'status="success"'), '', '$__range')),
              countFromFirst(of(EXCHANGE), '', '$__range'),
            ),
          },
        ],
        signal: exchangeSuccess,
        noValue: 'no traffic',
      }),
      graph({
        title: 'Error rate',
        description:
          'Share of the authorizations and exchanges of each agent that were refused or failed. The service does not count HTTP requests by agent, because most of them name no agent.',
        unit: 'percentunit',
        width: 9,
        max: 1,
        queries: [
          {
            expr: share(
              `(${perSecond(of(AUTHORIZE, 'status!="success"'), 'agent_id')} or 0 * ${perSecond(of(AUTHORIZE), 'agent_id')})`,
              perSecond(of(AUTHORIZE), 'agent_id'),
            ),
            legend: '{{agent_id}} authorize',
          },
          {
            expr: share(
              `(${perSecond(of(EXCHANGE, 'status="error"'), 'agent_id')} or 0 * ${perSecond(of(EXCHANGE), 'agent_id')})`,
              perSecond(of(EXCHANGE), 'agent_id'),
            ),
            legend: '{{agent_id}} exchange',
          },
        ],
        runbooks: SIGNALS.exchangeFailures.alerts,
        noValue: 'no traffic',
      }),
      graph({
        title: 'Authorize latency p50',
        description:
          'Half of the requests of each agent were faster. An agent that is slower than others asks for more scopes, or more policies apply to it.',
        unit: 'ms',
        width: 12,
        queries: [{ expr: `1000 * ${quantile(0.5, DURATION, [AGENT], 'agent_id')}`, legend: '{{agent_id}}' }],
        noValue: 'no traffic',
      }),
      graph({
        title: 'Authorize latency p99',
        description:
          'The dashed lines are the limits of the alert on all agents together. For traces, open the panel Authorize latency of the overview.',
        unit: 'ms',
        width: 12,
        queries: [
          { expr: `1000 * ${quantile(0.99, DURATION, [AGENT], 'agent_id')}`, legend: '{{agent_id}}' },
        ],
        signal: SIGNALS.authorizeP99Seconds,
        scale: 1000,
        links: [{ title: 'Overview', url: `/d/grantex-overview?\${job:queryparam}&\${__url_time_range}` }],
        noValue: 'no traffic',
      }),
      graph({
        title: 'Requests for authorization',
        description: 'Requests by agent and outcome. denied is the refusal of a policy.',
        unit: 'ops',
        width: 24,
        queries: [
          {
            expr: perSecond(of(AUTHORIZE), 'agent_id, status'),
            legend: '{{agent_id}} {{status}}',
            shades: ATTEMPTS,
          },
        ],
        noValue: NONE,
      }),
    ],
  },
  {
    title: 'Grants',
    panels: [
      graph({
        title: 'Active grants: change',
        description:
          'Grants that each agent got by exchange or delegation, less its revoked grants, within the time shown. Below zero, more of its grants were revoked than made, for example older ones. Expired grants are not subtracted, so the number of active grants is known only for the whole database.',
        unit: 'locale',
        width: 12,
        decimals: 0,
        min: null,
        queries: [
          {
            expr: `${orNone(total(of(CREATED)), total(of(REVOKED)))} - ${orNone(total(of(REVOKED)), total(of(CREATED)))}`,
            legend: '{{agent_id}}',
          },
        ],
        noValue: NONE,
      }),
      graph({
        title: 'Grants revoked',
        description:
          'Revoked grants by agent, cascades included. revokedBy in the log lines grant.revoked with this agentId says who revoked them.',
        unit: 'none',
        width: 12,
        look: 'bars',
        queries: [{ expr: countFromFirst(of(REVOKED), 'agent_id'), legend: '{{agent_id}}' }],
        noValue: NONE,
      }),
    ],
  },
  {
    title: 'Webhooks and anomalies',
    panels: [
      graph({
        title: 'Webhook deliveries',
        description:
          'Ended deliveries about each agent. A failure depends on the receiver and not on the agent: go on with the overview.',
        unit: 'none',
        width: 12,
        look: 'bars',
        queries: [
          {
            expr: countFromFirst(of(DELIVERIES), 'agent_id, status'),
            legend: '{{agent_id}} {{status}}',
            shades: ENDED,
          },
        ],
        runbooks: SIGNALS.webhookSuccess.alerts,
        noValue: NONE,
      }),
      graph({
        title: 'Anomalies',
        description:
          'Opened anomalies by agent and type. GET /v1/anomalies has the details. Suspend the agent, or acknowledge the anomaly.',
        unit: 'none',
        width: 12,
        look: 'bars',
        queries: [
          {
            expr: countFromFirst(of(ANOMALIES), 'agent_id, type, severity'),
            legend: '{{agent_id}} {{type}} ({{severity}})',
            shades: [
              ['\\(high\\)$', 'red'],
              ['\\(medium\\)$', 'orange'],
              ['\\(low\\)$', NEUTRAL[0]],
            ],
          },
        ],
        runbooks: SIGNALS.anomaliesPerHour.alerts,
        noValue: NONE,
      }),
    ],
  },
];
