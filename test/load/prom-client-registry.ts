import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { type Labels, parseSamples } from '../../src/reconciliation/exposition.ts';

/** More observations would change no more than some digits. */
const MOST_OBSERVATIONS = 100;

interface Sample {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
}

/**
 * A registry of prom-client with the families and series of an exposition (text 0.0.4), for a comparison of the two
 * writers. Counters and gauges have the same values. Histograms have the same series, and shorter numbers.
 */
export function registryOf(exposition: string): Registry {
  const registry = new Registry();
  const byName = Map.groupBy(parseSamples(exposition), ({ name }) => name);
  const samplesOf = (name: string): Sample[] => byName.get(name) ?? [];
  const helps = new Map(
    Array.from(exposition.matchAll(/^# HELP (\S+) (.*)$/gm), ([, name = '', help = '']) => [name, help]),
  );
  for (const [, name = '', type = ''] of exposition.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    const described = { name, help: helps.get(name) ?? name, registers: [registry] };
    if (type === 'histogram') addHistogram(described, samplesOf(`${name}_bucket`));
    else if (type === 'counter') addCounter(described, samplesOf(name));
    else addGauge(described, samplesOf(name));
  }
  return registry;
}

interface Described {
  readonly name: string;
  readonly help: string;
  readonly registers: Registry[];
}

const labelNamesOf = (samples: readonly Sample[]): string[] => [
  ...new Set(samples.flatMap(({ labels }) => Object.keys(labels))),
];

function addCounter(described: Described, samples: readonly Sample[]): void {
  const counter = new Counter({ ...described, labelNames: labelNamesOf(samples) });
  for (const { labels, value } of samples) counter.inc(labels, value);
}

function addGauge(described: Described, samples: readonly Sample[]): void {
  const gauge = new Gauge({ ...described, labelNames: labelNamesOf(samples) });
  for (const { labels, value } of samples) gauge.set(labels, value);
}

function addHistogram(described: Described, buckets: readonly Sample[]): void {
  const boundOf = ({ labels }: Sample) => Number(labels['le']?.replace('+Inf', 'Infinity'));
  const bounds = [...new Set(buckets.map(boundOf))].filter(Number.isFinite).sort((a, b) => a - b);
  const labelNames = labelNamesOf(buckets).filter((name) => name !== 'le');
  const histogram = new Histogram({ ...described, labelNames, buckets: bounds });
  const series = Map.groupBy(buckets, ({ labels: { le: _bound, ...rest } }) => JSON.stringify(rest));
  for (const [key, its] of series) {
    const labels = JSON.parse(key) as Labels;
    histogram.zero(labels);
    let below = 0;
    for (const bucket of its) {
      const observations = Math.min(bucket.value - below, MOST_OBSERVATIONS);
      below = bucket.value;
      const value = Math.min(boundOf(bucket), Number.MAX_SAFE_INTEGER);
      for (let i = 0; i < observations; i++) histogram.observe(labels, value);
    }
  }
}
