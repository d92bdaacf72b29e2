import { setImmediate as nextTurn } from 'node:timers/promises';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import type { MetricData, ResourceMetrics, ScopeMetrics } from '@opentelemetry/sdk-metrics';
import { withoutEmptyOther } from './views.ts';

/** Lines written before other work gets a turn: a scrape may not hold the event loop for more than some milliseconds. */
const LINES_PER_TURN = 1000;

/** Writes collected metrics in Prometheus text format 0.0.4, with `target_info` and without `otel_scope_*` labels. */
export async function renderExposition(collected: ResourceMetrics): Promise<string> {
  const target = new PrometheusSerializer(undefined, false, undefined, false, true);
  const families = new PrometheusSerializer(undefined, false, undefined, true, true);
  const { resource } = collected;
  const parts = [target.serialize({ resource, scopeMetrics: [] }).replace(/# no registered metrics$/, '')];
  let lines = 0;
  for (const { scope, metrics } of collected.scopeMetrics) {
    for (const metric of metrics.map(withoutEmptyOther).map(withBaseUnit)) {
      for (const slice of slices(metric)) {
        const scopeMetrics: ScopeMetrics[] = [{ scope, metrics: [slice.metric] }];
        const text = families.serialize({ resource, scopeMetrics });
        parts.push(slice.first ? text : withoutHeader(text));
        lines += slice.metric.dataPoints.length * linesPerPoint(metric);
        if (lines < LINES_PER_TURN) continue;
        lines = 0;
        await nextTurn();
      }
    }
  }
  return parts.join('');
}

/** Prometheus writes units out, and has none for counts. */
const UNITS: Readonly<Record<string, string>> = { s: 'seconds', By: 'bytes', '1': 'ratio' };

function withBaseUnit(metric: MetricData): MetricData {
  const { descriptor } = metric;
  return { ...metric, descriptor: { ...descriptor, unit: UNITS[descriptor.unit] ?? '' } };
}

function* slices(metric: MetricData): Generator<{ metric: MetricData; first: boolean }> {
  const size = Math.ceil(LINES_PER_TURN / linesPerPoint(metric));
  // A family without series is left out: HELP and TYPE of nothing are noise to every reader of the exposition.
  for (let start = 0; start < metric.dataPoints.length; start += size) {
    const dataPoints = metric.dataPoints.slice(start, start + size);
    yield { metric: { ...metric, dataPoints } as MetricData, first: start === 0 };
  }
}

function linesPerPoint(metric: MetricData): number {
  const value: unknown = metric.dataPoints[0]?.value;
  const buckets = (value as { buckets?: { counts: unknown[] } } | undefined)?.buckets;
  return buckets ? buckets.counts.length + 2 : 1;
}

const withoutHeader = (text: string): string => text.replace(/^(?:#.*\n)+/, '');
