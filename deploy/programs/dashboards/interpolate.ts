/** Values of template variables; a list is a multi-select. */
export type Values = Readonly<Record<string, string | readonly string[]>>;

const VARIABLE = /\$\{(\w+)(?::(\w+))?\}|\$(\w+)/g;

/**
 * Inserts values into a query as Grafana does for Prometheus. A list becomes `(a|b)`, and its values are escaped for a
 * regular expression within a string. Throws for a variable without a value.
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

/** The values of Grafana's own time variables. All parameters are in seconds; `scrape` is the scrape interval. */
export function timeValues(length: number, step: number, scrape: number): Values {
  const interval = Math.max(step, scrape);
  return {
    __interval: `${interval}s`,
    __rate_interval: `${Math.max(interval + scrape, 4 * scrape)}s`,
    __range: `${length}s`,
  };
}
