/** Matchers of a selector, such as `status="error"`. */
type Matchers = readonly string[];

/** The selected deployments and replicas. Every dashboard has these variables. */
const OURS = ['job=~"$job"', 'instance=~"$instance"'];

/** The scrape jobs of a deployment and of its health check. Targets of probes have instances of their own. */
export const OUR_JOBS = `job=~"\${job}(-health)?"`;

/** The collector, Prometheus and Alertmanager. */
export const PIPELINE = 'job=~"$pipeline"';

/** Grafana's interval that spans at least four scrapes at any zoom. */
const RATE = '$__rate_interval';

/** `name{job=~"$job", instance=~"$instance", …}` */
export const series = (name: string, ...matchers: Matchers): string =>
  `${name}{${[...OURS, ...matchers].join(', ')}}`;

const over = (aggregation: string, by: string): string => (by ? `${aggregation} by (${by})` : aggregation);

/**
 * Events per second over all replicas. The rate comes before the sum, so that the restart of one counter affects no
 * other.
 */
export const perSecond = (selector: string, by = '', window = RATE): string =>
  `${over('sum', by)} (rate(${selector}[${window}]))`;

/**
 * The number of events over all replicas in a window. It may be fractional, because Prometheus extrapolates to the
 * edges.
 */
export const count = (selector: string, by = '', window = RATE): string =>
  `${over('sum', by)} (increase(${selector}[${window}]))`;

/**
 * `count` for families whose series do not exist from the start with the value 0, such as those by agent. The first
 * event creates the series, and `increase` alone would never count it. If the target was scraped at the beginning of
 * the window and had no such series, this query also counts the first value.
 */
export const countFromFirst = (selector: string, by: string, window = RATE): string => {
  const grown = `increase(${selector}[${window}])`;
  const first = `(min_over_time(${selector}[${window}]) unless ${selector} offset ${window})`;
  const watched = `(${series('up')} offset ${window} == 1)`;
  return `${over('sum', by)} ((${grown} + (${first} and on (job, instance) ${watched})) or ${grown})`;
};

/** A quantile over all replicas. It sums the buckets, because quantiles cannot be summed. */
export const quantile = (
  q: number,
  histogram: string,
  matchers: Matchers = [],
  by = '',
  window = RATE,
): string =>
  `histogram_quantile(${q}, sum by (${by ? `le, ${by}` : 'le'}) (rate(${series(`${histogram}_bucket`, ...matchers)}[${window}])))`;

/** A share between 0 and 1. There is no value while the whole is 0. */
export const share = (part: string, whole: string): string => `${part} / (${whole} > 0)`;

/** A gauge that every replica reports for the whole database. It takes one value for each deployment and sums those. */
export const globalGauge = (name: string): string => `sum(max by (job) (${series(name)}))`;

/** 0 while there is no series, for labels whose values are not known in advance. */
export const orZero = (expression: string): string => `(${expression} or vector(0))`;
