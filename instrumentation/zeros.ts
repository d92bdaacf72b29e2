import { type Attributes, ValueType } from '@opentelemetry/api';
import { millisToHrTime } from '@opentelemetry/core';
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type Histogram,
  type HistogramMetricData,
  type MetricData,
} from '@opentelemetry/sdk-metrics';
import { exposedLabels, type Family } from '../src/telemetry/families/family.ts';
import { FAMILIES } from '../src/telemetry/families.ts';

type Point = DataPoint<Histogram>;

/** The series that one histogram has before anything is recorded into it. */
interface Seeded {
  readonly metric: HistogramMetricData;
  /** By `keyOf` of their labels. */
  readonly zeros: ReadonlyMap<string, Point>;
}

/**
 * Completes what was collected: the histograms of the catalogue that have `seeds` get a series of zeros for each of them that
 * has no event yet, and such a series keeps its beginning. The Meter API cannot record nothing into a histogram, as it can add
 * 0 to a counter, so the SDK has no such series, and `rate()` would not see the first event. What is sent by OTLP is as the
 * SDK has it: each of its points says when it began.
 */
export function createZeros(
  families: readonly Family[] = FAMILIES,
): (metrics: readonly MetricData[]) => MetricData[] {
  const seeded = new Map(families.flatMap((family) => seededOf(family)));

  return (metrics) => {
    const absent = new Map(seeded);
    const completed = metrics.map((metric) => {
      const its = absent.get(metric.descriptor.name);
      if (its === undefined || metric.dataPointType !== DataPointType.HISTOGRAM) return metric;
      absent.delete(metric.descriptor.name);
      return complete(metric, its);
    });
    return [...completed, ...Array.from(absent.values(), ({ metric }) => metric)];
  };
}

function complete(metric: HistogramMetricData, { zeros }: Seeded): HistogramMetricData {
  const missing = new Map(zeros);
  const dataPoints = metric.dataPoints.map((point) => {
    const key = keyOf(point.attributes);
    const zero = missing.get(key);
    if (zero === undefined) return point;
    missing.delete(key);
    return { ...point, startTime: zero.startTime };
  });
  return { ...metric, dataPoints: [...dataPoints, ...missing.values()] };
}

function seededOf(family: Family): [string, Seeded][] {
  const { name, help, unit, kind, seeds, boundaries = [] } = family;
  if (kind !== 'histogram' || seeds === undefined) return [];
  const begun = millisToHrTime(performance.timeOrigin);
  const points = seeds.map((seed): Point => {
    const counts = Array.from({ length: boundaries.length + 1 }, () => 0);
    return {
      attributes: labelsOf(family, seed),
      startTime: begun,
      endTime: begun,
      value: { buckets: { boundaries: [...boundaries], counts }, sum: 0, count: 0 },
    };
  });
  const metric: HistogramMetricData = {
    descriptor: { name, description: help, unit, valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: DataPointType.HISTOGRAM,
    dataPoints: points,
  };
  return [[name, { metric, zeros: new Map(points.map((point) => [keyOf(point.attributes), point])) }]];
}

/** The labels of the exposition, in the order of the views. */
const labelsOf = (family: Family, seed: Attributes): Attributes =>
  Object.fromEntries(exposedLabels(family).map(({ name, from }) => [name, seed[from]]));

const keyOf = (labels: Attributes): string => Object.values(labels).join('\0');
