// How names, labels and numbers are written in the formats of Prometheus.
import type { Attributes, AttributeValue, HrTime } from '@opentelemetry/api';

/** Prometheus text 0.0.4, or OpenMetrics text 1.0.0. */
export type Format = 'text' | 'openmetrics';

/**
 * A name of a label or a metric, as OpenTelemetry's rules for Prometheus make it: what is not a letter, a digit or `_` becomes
 * `_`, several of them become one, and a leading digit gets one. So no name begins with the two that Prometheus reserves.
 */
export function nameOf(text: string): string {
  const name = text.replace(/\W/g, '_').replace(/_{2,}/g, '_');
  return /^\d/.test(name) ? `_${name}` : name;
}

/**
 * The text of labels between the braces. Values of names that became the same are joined with `;`, in the order of those names,
 * because the order of attributes depends on where they came from.
 */
export function labelsOf(attributes: Attributes): string {
  const names = new Map<string, string[]>();
  for (const name of Object.keys(attributes)) {
    const label = nameOf(name);
    names.set(label, [...(names.get(label) ?? []), name]);
  }
  return Array.from(names, ([label, its]) => {
    const values = its.toSorted().map((name) => textOf(attributes[name]));
    return `${label}="${escapedValue(values.join(';'))}"`;
  }).join(',');
}

const textOf = (value: AttributeValue | undefined): string =>
  typeof value === 'string' ? value : (JSON.stringify(value) ?? '');

const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');

/** Some parsers end at a NUL, so it becomes the character for what cannot be shown. */
const escapedValue = (text: string): string =>
  escaped(text).replaceAll('"', '\\"').replaceAll('\0', '\uFFFD');

/** Only OpenMetrics escapes quotes there. */
export const escapedHelp = (text: string, format: Format): string =>
  format === 'openmetrics' ? escaped(text).replaceAll('"', '\\"') : escaped(text);

export const numberOf = (value: number): string =>
  value === Infinity ? '+Inf' : value === -Infinity ? '-Inf' : String(value);

/** The upper bound of a bucket. OpenMetrics wants a float; dashboards know 0.0.4 without the point. */
export const boundOf = (bound: number, format: Format): string =>
  format === 'openmetrics' && Number.isInteger(bound) ? `${bound}.0` : numberOf(bound);

/** Seconds since 1970, with milliseconds. */
export const secondsOf = (milliseconds: number): string => (milliseconds / 1000).toFixed(3);

export const millisecondsOf = ([seconds, nanoseconds]: HrTime): number => seconds * 1000 + nanoseconds / 1e6;
