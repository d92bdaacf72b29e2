import type { Row } from './dashboard.ts';
import { graph, stat } from './panels.ts';
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
        'Anomalies that nobody has seen to, in the whole database. Go through GET /v1/anomalies and acknowledge what has been dealt with.',
      unit: 'none',
      width: 4,
      height: 8,
      decimals: 0,
      queries: [{ expr: globalGauge('grantex_anomalies_unacknowledged') }],
      runbooks: SIGNALS.anomaliesPerHour.alerts,
    }),
    graph({
      title: 'Anomalies in the hour before',
      description: 'What the alert looks at. Dashed lines are where it begins.',
      unit: 'none',
      width: 10,
      queries: [
        {
          expr: `floor(${count(series('grantex_anomalies_detected_total'), '', '1h')})`,
          legend: 'anomalies',
        },
      ],
      signal: SIGNALS.anomaliesPerHour,
    }),
    graph({
      title: 'Anomalies detected, by type',
      description:
        'When they were opened. rate_spike, unusual_scope_access and cascade_delegation are of high severity: look at the agent first.',
      unit: 'none',
      width: 10,
      look: 'bars',
      queries: [
        {
          expr: count(series('grantex_anomalies_detected_total'), 'type, severity'),
          legend: '{{type}} ({{severity}})',
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
        'Share of all requests. 5xx is our failure: look at the log lines request.failed. 4xx is what callers get wrong; 499 is one that left before the answer.',
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
        'Which routes carry the load. unmatched is every path that does not exist: scanners, mostly.',
      unit: 'reqps',
      width: 8,
      queries: [
        { expr: perSecond(series(`${HTTP}_count`), 'method, route'), legend: '{{method}} {{route}}' },
      ],
    }),
    graph({
      title: 'Latency p99 by route',
      description:
        'The slowest routes. All at once: the database or the event loop; one alone: its own statements.',
      unit: 's',
      width: 8,
      queries: [{ expr: quantile(0.99, HTTP, [], 'method, route'), legend: '{{method}} {{route}}' }],
      noValue: 'no traffic',
    }),
    graph({
      title: '429 a minute, by limit',
      description:
        'Requests refused by rate limits. Dashed lines are where the alert begins, for all limits together. The callers are in the log lines rate_limit.hit.',
      unit: 'reqpm',
      width: 8,
      queries: [
        { expr: `60 * ${perSecond(series('grantex_rate_limited_total'))}`, legend: 'all' },
        {
          expr: `60 * ${perSecond(series('grantex_rate_limited_total'), 'endpoint')}`,
          legend: '{{endpoint}}',
        },
      ],
      signal: SIGNALS.rateLimitedPerMinute,
    }),
    graph({
      title: 'Server errors by route',
      description:
        'Where 5xx come from. None is the rule. The requestId of the log line request.failed finds the trace.',
      unit: 'reqps',
      width: 8,
      queries: [
        {
          expr: perSecond(series(`${HTTP}_count`, 'status_code=~"5.."'), 'route, status_code'),
          legend: '{{route}} {{status_code}}',
        },
      ],
      noValue: 'none',
    }),
    graph({
      title: 'Refused requests by status',
      description:
        'What callers are told. 401: keys that are wrong; 400: clients that are wrong; 404 on unmatched: scanners.',
      unit: 'reqps',
      width: 8,
      queries: [
        {
          expr: perSecond(series(`${HTTP}_count`, 'status_code=~"4.."'), 'status_code'),
          legend: '{{status_code}}',
        },
      ],
      noValue: 'none',
    }),
  ],
};
