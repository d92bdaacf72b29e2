import { textTable } from '../../../src/text-table.ts';
import type { Totals } from './developers.ts';
import type { Outcome, RequestCounts } from './request-counts.ts';

/** How much the demo changed a metric of the service: the sum of the series that have these labels. */
export interface Expected {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The result of the demo, for people and for programs. */
export interface Summary {
  readonly seconds: number;
  readonly requests: number;
  readonly acts: readonly { act: string; outcome: Outcome; count: number }[];
  /**
   * Increases of counters and changes of gauges. They are exact when the demo was the only caller, no process of the
   * service ended, and every request was answered.
   */
  readonly expected: readonly Expected[];
  /** The change of the service's own totals since the demo began. */
  readonly totals: Totals;
  readonly deliveries: Readonly<Record<'delivered' | 'failed' | 'pending', number>>;
  /** Requests that the receivers got. */
  readonly received: number;
  readonly notes: readonly string[];
}

type CountedAct = readonly [act: string, ...outcomes: readonly Outcome[]];
/** The counters that follow from answers alone. The service does not count 401 and 429 as attempts. */
const COUNTERS: readonly (readonly [string, Record<string, string>, ...CountedAct[]])[] = [
  ['grantex_authorize_total', { status: 'success' }, ['authorize', 'ok']],
  ['grantex_authorize_total', { status: 'denied' }, ['authorize', 'denied']],
  ['grantex_authorize_total', { status: 'error' }, ['authorize', 'refused', 'failed']],
  ['grantex_token_exchange_total', { status: 'success' }, ['exchange', 'ok']],
  ['grantex_token_exchange_total', { status: 'error' }, ['exchange', 'refused', 'failed']],
  ['grantex_token_refresh_total', { status: 'success' }, ['refresh', 'ok']],
  ['grantex_token_refresh_total', { status: 'error' }, ['refresh', 'refused', 'failed']],
  ['grantex_token_verifications_total', { result: 'valid' }, ['verify', 'valid']],
  ['grantex_token_verifications_total', { result: 'invalid' }, ['verify', 'invalid']],
  ['grantex_grants_created_total', { origin: 'consent' }, ['exchange', 'ok']],
  ['grantex_grants_created_total', { origin: 'delegation' }, ['delegate', 'ok']],
  ['grantex_consent_decisions_total', { decision: 'approved' }, ['approve', 'ok']],
  ['grantex_consent_decisions_total', { decision: 'denied' }, ['deny', 'ok']],
];

const ANSWERED: readonly Outcome[] = [
  'ok',
  'valid',
  'invalid',
  'denied',
  'refused',
  'unauthorized',
  'limited',
  'failed',
];

/** The facts from which the changes of the metrics follow. */
export interface DemoFacts {
  readonly counts: RequestCounts;
  readonly totals: Totals;
  readonly deliveries: Summary['deliveries'];
  readonly revokedWithAgents: number;
}

/** The changes that the service's metrics should show. */
export function expectedOf({ counts, totals, deliveries, revokedWithAgents }: DemoFacts): Expected[] {
  const answers = COUNTERS.map(([metric, labels, ...counted]) => ({
    metric,
    labels,
    value: counted.reduce((sum, [act, ...outcomes]) => sum + counts.of(act, ...outcomes), 0),
  }));
  const one = (metric: string, value: number, labels = {}) => ({ metric, labels, value });
  return [
    ...answers,
    one('grantex_grants_revoked_total', totals.revoked + revokedWithAgents),
    one('grantex_webhook_deliveries_total', deliveries.delivered, { status: 'delivered' }),
    one('grantex_webhook_deliveries_total', deliveries.failed, { status: 'failed' }),
    one('grantex_anomalies_detected_total', totals.anomalies),
    one('grantex_rate_limited_total', counts.of(null, 'limited')),
    one('grantex_http_request_duration_seconds_count', counts.of(null, ...ANSWERED)),
    one('grantex_active_grants', totals.active),
    one('grantex_anomalies_unacknowledged', totals.unacknowledged),
  ];
}

/** The tables for people. */
export function describe(summary: Summary): string {
  const { seconds, requests, acts, expected, totals, notes } = summary;
  const kinds = Object.entries(totals.byType).map(([type, opened]) => ({ anomaly: type, opened }));
  const series = expected.map(({ metric, labels, value }) => {
    const text = Object.entries(labels).map(([name, of]) => `${name}="${of}"`);
    return { series: text.length > 0 ? `${metric}{${text.join(',')}}` : metric, 'moved by': value };
  });
  return [
    `\n${requests} requests in ${Math.round(seconds)} s\n\n${textTable(acts)}`,
    kinds.length > 0 ? `\n${textTable(kinds)}` : '',
    `\nwhat the metrics should show of it\n\n${textTable(series)}`,
    ...notes.map((note) => `\nnote: ${note}\n`),
  ].join('');
}
