import { type ExposedLabel, exposedLabels } from '../../../src/telemetry/families/family.ts';
import { FAMILIES } from '../../../src/telemetry/families.ts';
import { parsePromql } from '../promql.ts';
import type { Rule } from './rule-files.ts';

type SeriesLabel = Pick<ExposedLabel, 'name' | 'values' | 'otherwise'>;

/** The labels of a series with their possible values; null: any value. */
type Labels = ReadonlyMap<string, readonly string[] | null>;
/** By the name of the series in a query. `_bucket`, `_sum` and `_count` are separate series. */
export type KnownSeries = ReadonlyMap<string, Labels>;

const EVERYWHERE: readonly (readonly [string, null])[] = [
  ['job', null],
  ['instance', null],
];

const COLLECTOR = {
  queue: ['exporter', 'data_type'],
  exporter: ['exporter'],
  receiver: ['receiver', 'transport'],
};

/**
 * Series in our queries that other programs export: Prometheus, Alertmanager, the probe, and the collector (version
 * 0.165).
 */
export const FOREIGN: Readonly<Record<string, readonly string[]>> = {
  ALERTS: ['alertname', 'alertstate', 'severity', 'sloth_slo'],
  up: [],
  scrape_duration_seconds: [],
  probe_success: [],
  probe_duration_seconds: [],
  probe_http_status_code: [],
  otelcol_exporter_queue_size: COLLECTOR.queue,
  otelcol_exporter_queue_capacity: COLLECTOR.queue,
  otelcol_exporter_send_failed_spans_total: COLLECTOR.exporter,
  otelcol_exporter_send_failed_log_records_total: COLLECTOR.exporter,
  otelcol_exporter_send_failed_metric_points_total: COLLECTOR.exporter,
  otelcol_exporter_enqueue_failed_metric_points_total: COLLECTOR.exporter,
  otelcol_exporter_sent_spans_total: COLLECTOR.exporter,
  otelcol_receiver_refused_spans_total: COLLECTOR.receiver,
  otelcol_receiver_refused_log_records_total: COLLECTOR.receiver,
  otelcol_receiver_refused_metric_points_total: COLLECTOR.receiver,
  otelcol_process_memory_rss_bytes: [],
  prometheus_rule_evaluation_failures_total: ['rule_group'],
  prometheus_notifications_dropped_total: ['alertmanager'],
  alertmanager_notifications_failed_total: ['integration', 'reason'],
};

/**
 * Every series that a rule or a runbook may name: the service's catalogue, the foreign ones, and those that `rules`
 * record.
 */
export function knownSeries(rules: readonly Rule[]): KnownSeries {
  const known = new Map<string, Labels>();
  const add = (name: string, labels: Iterable<readonly [string, readonly string[] | null]>) =>
    known.set(name, new Map([...(known.get(name) ?? []), ...EVERYWHERE, ...labels]));

  for (const family of FAMILIES) {
    const { name, boundaries, perAgent } = family;
    const labels = exposedLabels(family);
    const families: [string, readonly SeriesLabel[]][] = [[name, labels]];
    if (perAgent) families.push([perAgent.name, [...labels, { name: 'agent_id' }]]);
    for (const [series, its] of families) {
      const own = its.map((label) => [label.name.replaceAll('.', '_'), valuesOf(label)] as const);
      const parts = boundaries ? ['_bucket', '_sum', '_count'] : [''];
      for (const part of parts) add(`${series}${part}`, own);
      if (boundaries) add(`${series}_bucket`, [['le', [...boundaries.map(String), '+Inf']]]);
    }
  }
  for (const [name, labels] of Object.entries(FOREIGN)) add(name, labels.map(anyValue));
  for (const { record, expr, labels = {} } of rules)
    if (record !== undefined)
      known.set(record, new Map([...labelsOf(expr), ...Object.keys(labels).map(anyValue)]));
  return known;
}

/**
 * The labels that follow from an expression alone: those that it names, and without an aggregation also those of every
 * series.
 */
function labelsOf(expr: string): (readonly [string, null])[] {
  try {
    return [...(aggregates(expr) ? [] : EVERYWHERE), ...parsePromql(expr).labels.map(anyValue)];
  } catch {
    // The check of the rule itself reports the syntax error.
    return [];
  }
}

/** Whether an expression aggregates series, so that only the labels that it names remain. */
export const aggregates = (expr: string): boolean => /\b(sum|max|min|count|absent)\b/.test(expr);

const anyValue = (label: string) => [label, null] as const;

/** A label with a closed set has one more value, which stands for all others. */
const valuesOf = ({ values, otherwise }: SeriesLabel): readonly string[] | null =>
  values ? [...values, otherwise ?? '_OTHER'] : null;
