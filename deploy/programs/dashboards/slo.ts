import { ALERT_NAMES } from './alerts.ts';
import { dashboard, type Row } from './dashboard.ts';
import { OBJECTIVES, WINDOWS } from './objectives.ts';
import { graph, stat, table } from './panels.ts';
import { perSecond, quantile, series, share } from './queries.ts';
import { BURN } from './signals.ts';
import { slo } from './variables.ts';

const OF = 'job=~"$job", sloth_slo=~"$slo"';
const ERRORS = (window: string) => `slo:sli_error:ratio_rate${window}{${OF}}`;

/** How the rules treat little traffic. A reader of a share must know it. */
const LITTLE =
  'Below 0.1 requests a second, the rules compute the share as if there were 0.1 a second. The true share is at least the one shown.';

const RUNBOOKS = ALERT_NAMES.filter((name) => name.endsWith('BudgetBurn'));
const budget = { warning: 0.5, critical: 0, falling: true, alerts: [] };

const now: Row = {
  title: 'Objectives and their budgets',
  panels: [
    table({
      title: 'Objectives',
      description:
        'Over the period of each objective. When a budget is used up, repair faults before you add features. A negative budget means that the objective of this period is already missed. Every five minutes have the same weight. Below 0.1 requests a second, errors count as a share of 0.1 a second, so the true value may be lower than the one shown.',
      width: 16,
      noValue: 'no rules of objectives',
      by: { label: 'sloth_slo', title: 'Objective' },
      columns: [
        {
          title: 'Promised',
          unit: 'percentunit',
          decimals: 2,
          expr: `max by (sloth_slo) (slo:objective:ratio{sloth_slo=~"$slo"} and on (sloth_id) slo:current_burn_rate:ratio{${OF}})`,
        },
        {
          title: 'Kept so far',
          unit: 'percentunit',
          decimals: 3,
          expr: `1 - max by (sloth_slo) (${ERRORS('30d')})`,
        },
        {
          title: 'Budget left',
          unit: 'percentunit',
          decimals: 1,
          signal: budget,
          expr: `min by (sloth_slo) (slo:period_error_budget_remaining:ratio{${OF}})`,
        },
        {
          title: 'Burn rate now',
          unit: 'none',
          decimals: 2,
          signal: BURN,
          expr: `max by (sloth_slo) (slo:current_burn_rate:ratio{${OF}})`,
        },
      ],
    }),
    stat({
      title: 'Alerts on objectives',
      runbooks: RUNBOOKS,
      description:
        'Alerts that fire now. A page burns the budget of the month within days: act immediately. A ticket can wait until morning.',
      unit: 'none',
      width: 8,
      height: 8,
      queries: [
        {
          expr: `count(ALERTS{alertstate="firing", sloth_severity="page", ${OF}}) or vector(0)`,
          legend: 'page',
        },
        {
          expr: `count(ALERTS{alertstate="firing", sloth_severity="ticket", ${OF}}) or vector(0)`,
          legend: 'ticket',
        },
      ],
    }),
  ],
};

const time: Row = {
  title: 'Over time',
  panels: [
    graph({
      title: 'Budget left',
      description: `Share of the errors that the period still allows. A cliff is an incident. A slope is a fault that nobody notices. ${LITTLE}`,
      unit: 'percentunit',
      width: 12,
      min: null,
      max: 1,
      queries: [
        {
          expr: `min by (sloth_slo) (slo:period_error_budget_remaining:ratio{${OF}})`,
          legend: '{{sloth_slo}}',
          names: OBJECTIVES,
        },
      ],
      noValue: 'no rules of objectives',
    }),
    graph({
      title: 'Burn rate',
      description: `Errors over the last 5 minutes, divided by the errors that the objective allows. At 1 the budget lasts the whole period. At 14.4 it lasts two days. ${LITTLE}`,
      unit: 'none',
      width: 12,
      queries: [
        {
          expr: `max by (sloth_slo) (slo:current_burn_rate:ratio{${OF}})`,
          legend: '{{sloth_slo}}',
          names: OBJECTIVES,
        },
      ],
      signal: BURN,
      noValue: 'no traffic',
    }),
    graph({
      title: 'Errors, short windows',
      description: `Share of events that broke the objective. A page fires when both 5 m and 1 h, or both 30 m and 6 h, are over their limit. ${LITTLE}`,
      unit: 'percentunit',
      width: 12,
      queries: WINDOWS.short.map((window) => ({
        expr: `max by (sloth_slo) (${ERRORS(window)})`,
        legend: `{{sloth_slo}} ${window}`,
        names: OBJECTIVES.map((objective) => `${objective} ${window}`),
      })),
      noValue: 'no traffic',
    }),
    graph({
      title: 'Errors, long windows',
      description: `A ticket fires when both 2 h and 1 d, or both 6 h and 3 d, are over their limit. Tickets are for faults too slow to wake anybody. ${LITTLE}`,
      unit: 'percentunit',
      width: 12,
      queries: WINDOWS.long.map((window) => ({
        expr: `max by (sloth_slo) (${ERRORS(window)})`,
        legend: `{{sloth_slo}} ${window}`,
        names: OBJECTIVES.map((objective) => `${objective} ${window}`),
      })),
      noValue: 'no traffic',
    }),
  ],
};

/** The objectives are those of a whole deployment. These panels find the replica that misses them. */
const PROMISED = ['method="POST"', 'route=~"/v1/authorize|/v1/token|/v1/tokens/verify"'];
const HTTP = 'grantex_http_request_duration_seconds';

const replicas: Row = {
  title: 'By replica',
  panels: [
    graph({
      title: 'Server errors, by replica',
      description:
        'Share of the requests with an objective that each replica answered with 5xx. If one replica differs, look at it alone. If all fail, look at the database.',
      unit: 'percentunit',
      width: 12,
      queries: [
        {
          expr: share(
            `(${perSecond(series(`${HTTP}_count`, ...PROMISED, 'status_code=~"5.."'), 'instance')} or 0 * ${perSecond(series(`${HTTP}_count`, ...PROMISED), 'instance')})`,
            perSecond(series(`${HTTP}_count`, ...PROMISED), 'instance'),
          ),
          legend: '{{instance}}',
        },
      ],
      noValue: 'no traffic',
    }),
    graph({
      title: 'Latency p99, by replica',
      description:
        'Of the requests with an objective. A dot is one traced request: click it to open its trace. If one replica is slow, look at its event loop and its machine.',
      unit: 's',
      width: 12,
      queries: [{ expr: quantile(0.99, HTTP, PROMISED, 'instance'), legend: '{{instance}}' }],
      noValue: 'no traffic',
    }),
  ],
};

export const objectives = () =>
  dashboard({
    name: 'slo',
    title: 'objectives',
    description:
      'The objectives of authorize, exchange and verify, and how much of their error budgets is left.',
    variables: [slo()],
    rows: [now, time, replicas],
  });
