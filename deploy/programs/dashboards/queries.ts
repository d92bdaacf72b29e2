/** Matchers of a selector, such as `status="error"`. */
type Matchers = readonly string[];

/** The deployment looked at: `$job` is a variable of every dashboard that shows the service's own families. */
const JOB = 'job=~"$job"';

/** Long enough for four scrapes at any zoom: Grafana knows the scrape interval. */
const RATE = '$__rate_interval';

/** `name{job=~"$job", …}` */
export const series = (name: string, ...matchers: Matchers): string =>
  `${name}{${[JOB, ...matchers].join(', ')}}`;

const over = (aggregation: string, by: string): string => (by ? `${aggregation} by (${by})` : aggregation);

/** Events per second over all replicas. The rate comes before the sum: a counter that restarts must not pull the others down. */
export const perSecond = (selector: string, by = '', window = RATE): string =>
  `${over('sum', by)} (rate(${selector}[${window}]))`;

/** How many events over all replicas in a window; not a whole number, for Prometheus extrapolates to the window's edges. */
export const count = (selector: string, by = '', window = RATE): string =>
  `${over('sum', by)} (increase(${selector}[${window}]))`;

/**
 * `count` for families whose series are not there with 0 from the start, as those by agent: the first event makes the series,
 * and `increase` alone would never see it. Where the target was already scraped at the window's beginning and the series was
 * not there, its first value is counted too.
 */
export const countFromFirst = (selector: string, by: string, window = RATE): string => {
  const grown = `increase(${selector}[${window}])`;
  const first = `(min_over_time(${selector}[${window}]) unless ${selector} offset ${window})`;
  const watched = `(${series('up')} offset ${window} == 1)`;
  return `${over('sum', by)} ((${grown} + (${first} and on (job, instance) ${watched})) or ${grown})`;
};

/** A quantile over all replicas: buckets are summed, quantiles never. */
export const quantile = (
  q: number,
  histogram: string,
  matchers: Matchers = [],
  by = '',
  window = RATE,
): string =>
  `histogram_quantile(${q}, sum by (${by ? `le, ${by}` : 'le'}) (rate(${series(`${histogram}_bucket`, ...matchers)}[${window}])))`;

/** A share of one; nothing while the whole is 0, instead of 0 / 0. */
export const share = (part: string, whole: string): string => `${part} / (${whole} > 0)`;

/** A gauge that every replica reports for the whole database: one replica's word a deployment, and the deployments together. */
export const globalGauge = (name: string): string => `sum(max by (job) (${series(name)}))`;

/** 0 where there is no series yet: for label values that are not a closed set. */
export const orZero = (expression: string): string => `(${expression} or vector(0))`;
