import { readdir, readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { parsePromql } from '../../deploy/promql.ts';
import { FAMILIES } from '../../instrumentation/catalogue.ts';

/** Labels by the name of a series, `job` and `instance` left out: every series has them. */
export type KnownSeries = ReadonlyMap<string, ReadonlySet<string>>;

const RULES = new URL('../../deploy/prometheus/rules/', import.meta.url);
const PROMETHEUS_METRIC = (name: string) => name.replaceAll('.', '_');

/** Series that the service does not export itself: of Prometheus, of the probe, of the collector. */
const FOREIGN: Readonly<Record<string, readonly string[]>> = {
  up: [],
  scrape_duration_seconds: [],
  scrape_samples_scraped: [],
  scrape_series_added: [],
  probe_success: [],
  probe_duration_seconds: [],
  ALERTS: ['alertname', 'alertstate', 'severity', 'sloth_severity', 'sloth_slo'],
  traces_span_metrics_duration_milliseconds_bucket: [
    'service_name',
    'span_name',
    'span_kind',
    'status_code',
    'le',
  ],
  prometheus_rule_evaluation_failures_total: ['rule_group'],
  prometheus_notifications_sent_total: ['alertmanager'],
  prometheus_notifications_dropped_total: [],
  prometheus_tsdb_head_series: [],
  alertmanager_notifications_total: ['integration'],
  alertmanager_notifications_failed_total: ['integration', 'reason'],
  otelcol_process_memory_rss: [],
  otelcol_exporter_queue_size: ['exporter', 'data_type'],
  otelcol_exporter_queue_capacity: ['exporter', 'data_type'],
  ...ofCollector('receiver', 'accepted', 'refused'),
  ...ofCollector('exporter', 'sent', 'send_failed', 'enqueue_failed'),
};

/** Counters of the collector, one for each kind of telemetry; without `_total`, as its own configuration here exposes them. */
function ofCollector(part: string, ...counts: readonly string[]): Record<string, readonly string[]> {
  const names = counts.flatMap((count) =>
    ['spans', 'log_records', 'metric_points'].map((signal) => `otelcol_${part}_${count}_${signal}`),
  );
  return Object.fromEntries(names.map((name) => [name, [part]]));
}

/** Everything that a query of ours may name: the catalogue, the foreign families, and what the rules record. */
export async function knownSeries(): Promise<KnownSeries> {
  const known = new Map<string, ReadonlySet<string>>();
  for (const { name, labels, boundaries, perAgent } of FAMILIES) {
    const own = labels.map((label) => PROMETHEUS_METRIC(label.name));
    add(known, name, own, boundaries !== undefined);
    if (perAgent) add(known, perAgent.name, [...own, 'agent_id'], boundaries !== undefined);
  }
  for (const [name, labels] of Object.entries(FOREIGN)) known.set(name, new Set(labels));
  for (const { record, expr, labels = {} } of await recordingRules())
    known.set(record, new Set([...Object.keys(labels), ...parsePromql(expr).labels]));
  return known;
}

function add(
  known: Map<string, ReadonlySet<string>>,
  name: string,
  labels: string[],
  histogram: boolean,
): void {
  if (!histogram) known.set(name, new Set(labels));
  else {
    known.set(`${name}_bucket`, new Set([...labels, 'le']));
    for (const part of ['sum', 'count']) known.set(`${name}_${part}`, new Set(labels));
  }
}

export interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** All rules of `deploy/prometheus/rules`. */
export async function rules(): Promise<Rule[]> {
  const files = (await readdir(RULES)).filter((name) => name.endsWith('.yml'));
  const parsed = await Promise.all(
    files.map(async (name) => parse(await readFile(new URL(name, RULES), 'utf8'))),
  );
  return parsed.flatMap(({ groups }: { groups: { rules: Rule[] }[] }) =>
    groups.flatMap(({ rules }) => rules),
  );
}

async function recordingRules(): Promise<(Rule & { readonly record: string })[]> {
  return (await rules()).filter((rule): rule is Rule & { record: string } => rule.record !== undefined);
}

export interface AlertLimits {
  readonly operator?: string;
  readonly warning?: number;
  readonly critical?: number;
}

/** What the alerts compare with, by name: the first comparison with a number that is not 0, or the health check's count. */
export async function alertLimits(): Promise<ReadonlyMap<string, AlertLimits>> {
  const limits = new Map<string, AlertLimits>();
  for (const { alert, expr, labels } of await rules()) {
    if (alert === undefined) continue;
    const [, operator, limit] = /([<>]=?) (\d[\d.]*)/.exec(expr) ?? [];
    // One failed probe is `probe_success == 0`.
    const value = alert === 'HealthCheckFailing' ? Number(limit ?? 1) : Number(limit);
    limits.set(alert, {
      operator: operator ?? '>',
      ...limits.get(alert),
      [labels?.['severity'] ?? '']: value,
    });
  }
  return limits;
}
