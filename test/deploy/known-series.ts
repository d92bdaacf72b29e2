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
  ALERTS: ['alertname', 'alertstate', 'severity', 'service', 'sloth_service', 'sloth_slo'],
  traces_span_metrics_duration_milliseconds_bucket: [
    'service_name',
    'span_name',
    'span_kind',
    'status_code',
    'le',
  ],
};

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
