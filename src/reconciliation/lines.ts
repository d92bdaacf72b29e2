import { ANOMALY_SEVERITIES, type AnomalyType } from '../label-values.ts';
import type { LastCount } from './ended-store.ts';
import type { Labels, Sample } from './exposition.ts';
import type { Ledger, Totals } from './store.ts';

interface Series {
  readonly what: string;
  readonly metric: string;
  readonly labels: Labels;
}

/** A counter, and its expected value by the rows. */
export interface CounterLine extends Series {
  readonly of: (totals: Totals) => number;
}

/** A gauge of the whole database, which every process reports. */
export interface GaugeLine extends Series {
  readonly of: (ledger: Ledger) => number;
}

const counter = (what: string, metric: string, labels: Labels, of: CounterLine['of']): CounterLine => ({
  what,
  metric,
  labels,
  of,
});

/**
 * What is compared. Attempts that failed, verifications, decisions and refusals by a limit leave no rows that could be
 * counted, so they are not here.
 */
export const COUNTERS: readonly CounterLine[] = [
  counter('authorizations', 'grantex_authorize_total', { status: 'success' }, (rows) => rows.requested),
  counter('exchanges', 'grantex_token_exchange_total', { status: 'success' }, (rows) => rows.consented),
  counter(
    'requests, exchanged',
    'grantex_authorization_requests_ended_total',
    { end: 'exchanged' },
    (rows) => rows.consented,
  ),
  counter('refreshes', 'grantex_token_refresh_total', { status: 'success' }, (rows) => rows.refreshed),
  counter(
    'created, consent',
    'grantex_grants_created_total',
    { origin: 'consent' },
    (rows) => rows.consented,
  ),
  counter(
    'created, delegation',
    'grantex_grants_created_total',
    { origin: 'delegation' },
    (rows) => rows.delegated,
  ),
  counter('revoked', 'grantex_grants_revoked_total', {}, (rows) => rows.revoked),
  counter(
    'deliveries, delivered',
    'grantex_webhook_deliveries_total',
    { status: 'delivered' },
    (rows) => rows.delivered,
  ),
  counter(
    'deliveries, failed',
    'grantex_webhook_deliveries_total',
    { status: 'failed' },
    (rows) => rows.failed,
  ),
  ...(Object.entries(ANOMALY_SEVERITIES) as [AnomalyType, string][]).map(([type, severity]) =>
    counter(
      `anomalies, ${type}`,
      'grantex_anomalies_detected_total',
      { type, severity },
      (rows) => rows.anomalies[type] ?? 0,
    ),
  ),
];

export const GAUGES: readonly GaugeLine[] = [
  { what: 'active grants', metric: 'grantex_active_grants', labels: {}, of: ({ active }) => active },
  {
    what: 'grants of removals',
    metric: 'grantex_grants_removal_pending',
    labels: {},
    of: ({ removalPending }) => removalPending,
  },
  {
    what: 'unacknowledged anomalies',
    metric: 'grantex_anomalies_unacknowledged',
    labels: {},
    of: ({ unacknowledged }) => unacknowledged,
  },
];

/** The names of everything that is compared. */
export const METRICS: readonly string[] = [...new Set([...COUNTERS, ...GAUGES].map(({ metric }) => metric))];

/** The value of one series. The samples may have more labels, from the scraper. undefined: there is no such series. */
export const seriesValue = (samples: readonly Sample[], { metric, labels }: Series): number | undefined =>
  samples.find(
    ({ name, labels: has }) =>
      name === metric && Object.entries(labels).every(([label, value]) => has[label] === value),
  )?.value;

/** Every counter by its `what`. @throws naming the first one that is not there */
export function countsOf(samples: readonly Sample[], from: string): Record<string, number> {
  return Object.fromEntries(
    COUNTERS.map((line) => {
      const value = seriesValue(samples, line);
      if (value === undefined)
        throw new Error(`${from} has no ${line.metric} ${JSON.stringify(line.labels)}`);
      return [line.what, value];
    }),
  );
}

/** How the labels of a line are kept in the database. */
export const labelsText = ({ labels }: Series): string => JSON.stringify(Object.entries(labels).sort());

/** The counters that processes have left, by their `what`; 0 where there are none. */
export const countsLeft = (left: readonly LastCount[]): Record<string, number> =>
  Object.fromEntries(
    COUNTERS.map((line) => [
      line.what,
      left.find(({ family, labels }) => family === line.metric && labels === labelsText(line))?.total ?? 0,
    ]),
  );
