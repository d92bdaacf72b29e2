/** Values of template variables; a list is a multi-select. */
export type Values = Readonly<Record<string, string | readonly string[]>>;

const VARIABLE = /\$\{(\w+)(?::(\w+))?\}|\$(\w+)/g;

/**
 * Puts values into a query as Grafana does for Prometheus: a list becomes `(a|b)`, and values are escaped for a regular
 * expression that stands in a string. Throws for a variable that has no value.
 */
export function interpolate(text: string, values: Values): string {
  return text.replaceAll(
    VARIABLE,
    (_, braced: string | undefined, format: string | undefined, bare: string) => {
      const name = braced ?? bare;
      const value = values[name];
      if (value === undefined) throw new Error(`$${name} has no value, in: ${text}`);
      if (typeof value === 'string') return value;
      if (format === 'raw') return value.join(',');
      const escaped = value.map((one) => one.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\\\$&'));
      return escaped.length === 1 ? (escaped[0] ?? '') : `(${escaped.join('|')})`;
    },
  );
}

/** What Grafana puts in for a span of time in seconds, shown in `points` points, with a scrape every `scrape` seconds. */
export function timeValues(span: number, step: number, scrape: number): Values {
  const interval = Math.max(step, scrape);
  return {
    __interval: `${interval}s`,
    __rate_interval: `${Math.max(interval + scrape, 4 * scrape)}s`,
    __range: `${span}s`,
  };
}
