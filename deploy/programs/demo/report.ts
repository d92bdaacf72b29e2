import { textTable } from '../../../src/text-table.ts';
import type { Totals } from './cast.ts';
import type { Outcome, Tally } from './tally.ts';

/** A metric of the service, and by how much the demo's acts have moved the sum of its series that have these labels. */
export interface Expected {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What the demo did, for people and for programs. */
export interface Summary {
  readonly seconds: number;
  readonly requests: number;
  readonly acts: readonly { act: string; outcome: Outcome; count: number }[];
  /**
   * Increases of counters, and changes of gauges: exact where nobody else used the service meanwhile, no process of it ended
   * and every request was answered.
   */
  readonly expected: readonly Expected[];
  /** What is on the service's side since the beginning of the demo. */
  readonly totals: Totals;
  readonly deliveries: Readonly<Record<'delivered' | 'failed' | 'pending', number>>;
  /** Requests that the receivers got. */
  readonly received: number;
  readonly notes: readonly string[];
}

type Source = readonly [act: string, ...outcomes: readonly Outcome[]];
/** The counters that answers tell of. 401 and 429 are no attempts. */
const COUNTERS: readonly (readonly [string, Record<string, string>, ...Source[]])[] = [
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

const ALL: readonly Outcome[] = [
  'ok',
  'valid',
  'invalid',
  'denied',
  'refused',
  'unauthorized',
  'limited',
  'failed',
];

export interface Sources {
  readonly tally: Tally;
  readonly totals: Totals;
  readonly deliveries: Summary['deliveries'];
  readonly fallenWithAgents: number;
}

/** What the service's metrics should show of all this. */
export function expectedOf({ tally, totals, deliveries, fallenWithAgents }: Sources): Expected[] {
  const answers = COUNTERS.map(([metric, labels, ...sources]) => ({
    metric,
    labels,
    value: sources.reduce((sum, [act, ...outcomes]) => sum + tally.of(act, ...outcomes), 0),
  }));
  const one = (metric: string, value: number, labels = {}) => ({ metric, labels, value });
  return [
    ...answers,
    one('grantex_grants_revoked_total', totals.revoked + fallenWithAgents),
    one('grantex_webhook_deliveries_total', deliveries.delivered, { status: 'delivered' }),
    one('grantex_webhook_deliveries_total', deliveries.failed, { status: 'failed' }),
    one('grantex_anomalies_detected_total', totals.anomalies),
    one('grantex_rate_limited_total', tally.of(null, 'limited')),
    one('grantex_http_request_duration_seconds_count', tally.of(null, ...ALL)),
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
