import { LIMITER_NAMES } from '../../../src/config.ts';
import { ANOMALY_SEVERITIES } from '../../../src/label-values.ts';
import type { Row } from './dashboard.ts';
import { graph, heatmap, stat } from './panels.ts';
import { count, globalGauge, orZero, perSecond, quantile, series, share } from './queries.ts';
import { SIGNALS } from './signals.ts';

const HTTP = 'grantex_http_request_duration_seconds';
const requests = (...matchers: string[]) => perSecond(series(`${HTTP}_count`, ...matchers));

export const anomalies: Row = {
  title: 'Anomalies',
  panels: [
    stat({
      title: 'Unacknowledged',
      description:
        'Anomalies in the whole database that nobody has acknowledged. Read GET /v1/anomalies, and acknowledge each one that you have handled.',
      unit: 'none',
      width: 4,
      height: 8,
      decimals: 0,
      queries: [{ expr: globalGauge('grantex_anomalies_unacknowledged') }],
      runbooks: SIGNALS.anomaliesPerHour.alerts,
    }),
    graph({
      title: 'Anomalies in the hour before',
      description: 'The alert reads this number. It begins at the dashed lines.',
      unit: 'none',
      width: 10,
      queries: [
        {
          expr: `floor(${count(series('grantex_anomalies_detected_total'), '', '1h')})`,
          legend: 'opened',
        },
      ],
      signal: SIGNALS.anomaliesPerHour,
    }),
    graph({
      title: 'Anomalies detected, by type',
      description:
        'The time at which the service opened them. rate_spike, unusual_scope_access and cascade_delegation have a high severity: look at the agent first.',
      unit: 'none',
      width: 10,
      look: 'bars',
      queries: [
        {
          expr: count(series('grantex_anomalies_detected_total'), 'type, severity'),
          legend: '{{type}} ({{severity}})',
          names: Object.entries(ANOMALY_SEVERITIES).map(([type, severity]) => `${type} (${severity})`),
        },
      ],
      links: [{ title: 'By agent', url: `/d/grantex-per-agent?\${__url_time_range}&\${job:queryparam}` }],
      runbooks: SIGNALS.anomaliesPerHour.alerts,
    }),
  ],
};

export const http: Row = {
  title: 'HTTP',
  panels: [
    graph({
      title: 'HTTP error rate',
      description:
        'Share of all requests. 5xx is our failure: look at the log lines request.failed. 4xx is a mistake of the caller. 499 is a caller that left before the answer.',
      unit: 'percentunit',
      width: 8,
      queries: [
        { expr: share(orZero(requests('status_code=~"5.."')), requests()), legend: '5xx' },
        { expr: share(orZero(requests('status_code=~"4.."')), requests()), legend: '4xx' },
      ],
      noValue: 'no traffic',
    }),
    graph({
      title: 'Requests by route',
      description:
        'Which routes carry the load. unmatched is every path that does not exist, mostly requests of scanners.',
      unit: 'reqps',
      width: 8,
      queries: [
        { expr: perSecond(series(`${HTTP}_count`), 'method, route'), legend: '{{method}} {{route}}' },
      ],
    }),
    graph({
      title: 'Latency p99 by route',
      description:
        'The slowest routes. If all are slow, look at the database and the event loop. If one is slow, look at its statements.',
      unit: 's',
      width: 8,
      queries: [{ expr: quantile(0.99, HTTP, [], 'method, route'), legend: '{{method}} {{route}}' }],
      noValue: 'no traffic',
    }),
    heatmap({
      title: 'Latency of all requests',
      description:
        'Requests a second by duration. A second band is a second kind of request: look at the panel of routes. A dot is one traced request: click it to open its trace.',
      unit: 's',
      width: 24,
      queries: [
        { expr: `sum by (le) (rate(${series(`${HTTP}_bucket`)}[$__rate_interval]))`, legend: '{{le}}' },
      ],
      noValue: 'no traffic',
    }),
    graph({
      title: '429 a minute, by limit',
      description:
        'Requests refused by rate limits. The alert begins at the dashed lines and counts all limits together. The log lines rate_limit.hit name the callers.',
      unit: 'reqpm',
      width: 8,
      queries: [
        { expr: `60 * ${perSecond(series('grantex_rate_limited_total'))}`, legend: 'all' },
        {
          expr: `60 * ${perSecond(series('grantex_rate_limited_total'), 'endpoint')}`,
          legend: '{{endpoint}}',
          names: LIMITER_NAMES,
        },
      ],
      signal: SIGNALS.rateLimitedPerMinute,
    }),
    graph({
      title: 'Server errors by route',
      description:
        'The routes that answer 5xx. Normally there are none. Find the trace by the requestId of the log line request.failed.',
      unit: 'reqps',
      width: 8,
      queries: [
        {
          expr: perSecond(series(`${HTTP}_count`, 'status_code=~"5.."'), 'route, status_code'),
          legend: '{{route}} {{status_code}}',
          shades: [['.+', 'red']],
        },
      ],
      noValue: 'none',
    }),
    graph({
      title: 'Refused requests by status',
      description:
        'The status that callers get. 401: the key is wrong. 400: the client sends a wrong request. 404 on unmatched: scanners.',
      unit: 'reqps',
      width: 8,
      queries: [
        {
          expr: perSecond(series(`${HTTP}_count`, 'status_code=~"4.."'), 'status_code'),
          legend: '{{status_code}}',
          shades: [['.+', 'orange']],
        },
      ],
      noValue: 'none',
    }),
  ],
};
