import type { Attributes } from '@opentelemetry/api';
import { type DataPoint, DataPointType, type Histogram, type MetricData } from '@opentelemetry/sdk-metrics';
import { FAMILIES } from '../src/telemetry/families.ts';
import type { Exemplar, ExemplarSlot, Exemplars } from './exemplars.ts';
import {
  boundOf,
  escapedHelp,
  type Format,
  labelsOf,
  millisecondsOf,
  nameOf,
  numberOf,
  secondsOf,
} from './exposition-text.ts';

type Point = MetricData['dataPoints'][number];

export interface FamilyWriter {
  /** HELP, UNIT and TYPE. */
  readonly header: string;
  /** Adds the lines of one series to `parts`, and returns how many of them had to be written anew. */
  write(point: Point, parts: string[]): number;
}

/** What is kept of a series between two scrapes. */
interface Series {
  readonly attributes: Attributes;
  readonly labels: string;
  /** The beginning of each bucket's line. */
  buckets: readonly string[] | undefined;
  /** The value, or the count of a histogram, that `text` is of. */
  value: number;
  /** The version of the exemplars that `text` is of. */
  exemplars: number;
  text: string;
}

/** Prometheus writes units out, and has none for counts. */
const UNITS: Readonly<Record<string, string>> = { s: 'seconds', By: 'bytes', '1': 'ratio' };

/** They count from the beginning of the process; the SDK would tell the time of the first scrape. */
const OBSERVED_COUNTERS = new Set(
  FAMILIES.filter(({ kind }) => kind === 'observableCounter').map(({ name }) => name),
);

const EXEMPLAR_OF_NONE: ExemplarSlot = { version: 0, latest: [] };

/** Makes the writer of the family that `metric` is of. */
export function createFamilyWriter(metric: MetricData, format: Format, exemplars?: Exemplars): FamilyWriter {
  const { descriptor } = metric;
  const openMetrics = format === 'openmetrics';
  const type = typeOf(metric);
  const base = type === 'counter' ? nameOf(descriptor.name).replace(/_total$/, '') : nameOf(descriptor.name);
  const name = type === 'counter' ? `${base}_total` : base;
  const known = new WeakMap<Attributes, Series>();

  const seriesOf = (attributes: Attributes): Series => {
    let series = known.get(attributes);
    if (series === undefined) {
      const labels = labelsOf(attributes);
      series = { attributes, labels, buckets: undefined, value: Number.NaN, exemplars: 0, text: '' };
      known.set(attributes, series);
    }
    return series;
  };
  const created = (series: Series, point: Point): string => {
    if (!openMetrics) return '';
    const begun = OBSERVED_COUNTERS.has(descriptor.name)
      ? performance.timeOrigin
      : millisecondsOf(point.startTime);
    return `${base}_created${braced(series.labels)} ${secondsOf(begun)}\n`;
  };
  const single = (series: Series, point: Point, value: number, { latest }: ExemplarSlot): number => {
    const line = `${name}${braced(series.labels)} ${numberOf(value)}${exemplarText(latest[0])}\n`;
    series.text = type === 'counter' ? line + created(series, point) : line;
    return 1;
  };
  const histogram = (series: Series, point: Point, value: Histogram, { latest }: ExemplarSlot): number => {
    const { boundaries, counts } = value.buckets;
    series.buckets ??= counts.map((_, at) => {
      const bound = boundOf(boundaries[at] ?? Number.POSITIVE_INFINITY, format);
      return `${name}_bucket${braced(series.labels, `le="${bound}"`)} `;
    });
    let text = '';
    let sum = 0;
    for (const [at, start] of series.buckets.entries()) {
      sum += counts[at] ?? 0;
      text += `${start}${sum}${exemplarText(latest[at])}\n`;
    }
    const labels = braced(series.labels);
    text += `${name}_count${labels} ${value.count}\n`;
    if (value.sum !== undefined) text += `${name}_sum${labels} ${numberOf(value.sum)}\n`;
    series.text = text + created(series, point);
    return counts.length + 2;
  };

  return {
    header: headerOf(metric, type, openMetrics ? base : name, format),
    write(point, parts) {
      const series = seriesOf(point.attributes);
      const slot = (openMetrics && exemplars?.of(descriptor.name, series.attributes)) || EXEMPLAR_OF_NONE;
      const value =
        typeof point.value === 'number' ? point.value : (point as DataPoint<Histogram>).value.count;
      let lines = 0;
      if (series.value !== value || series.exemplars !== slot.version) {
        lines =
          typeof point.value === 'number'
            ? single(series, point, point.value, slot)
            : histogram(series, point, (point as DataPoint<Histogram>).value, slot);
        series.value = value;
        series.exemplars = slot.version;
      }
      parts.push(series.text);
      return lines;
    },
  };
}

type Type = 'counter' | 'gauge' | 'histogram';

function typeOf(metric: MetricData): Type {
  if (metric.dataPointType === DataPointType.HISTOGRAM) return 'histogram';
  return metric.dataPointType === DataPointType.SUM && metric.isMonotonic ? 'counter' : 'gauge';
}

function headerOf({ descriptor }: MetricData, type: Type, name: string, format: Format): string {
  const unit = UNITS[descriptor.unit];
  const hasUnit = unit !== undefined && name.replace(/_total$/, '').endsWith(`_${unit}`);
  return [
    `# HELP ${name} ${escapedHelp(descriptor.description, format)}\n`,
    hasUnit ? `# UNIT ${name} ${unit}\n` : '',
    `# TYPE ${name} ${type}\n`,
  ].join('');
}

function braced(labels: string, own = ''): string {
  const all = labels !== '' && own !== '' ? `${labels},${own}` : labels + own;
  return all === '' ? '' : `{${all}}`;
}

const exemplarText = (exemplar: Exemplar | undefined): string =>
  exemplar === undefined
    ? ''
    : ` # {trace_id="${exemplar.traceId}",span_id="${exemplar.spanId}"} ${numberOf(exemplar.value)} ${secondsOf(exemplar.time)}`;
