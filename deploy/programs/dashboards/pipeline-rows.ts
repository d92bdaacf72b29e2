import type { Row } from './dashboard.ts';
import { graph, stat, table } from './panels.ts';
import { count, perSecond, series } from './queries.ts';

const COLLECTOR = 'job="otel-collector"';
const SIGNALS_OF_OTLP = ['spans', 'log_records', 'metric_points'];
const byInstance = (what: string) => `{{instance}} ${what}`;

/** The same counter of the collector for traces, logs and metrics. */
const eachSignal = (prefix: string, by: string, what = '') =>
  SIGNALS_OF_OTLP.map((signal) => ({
    expr: `sum by (${by}) (rate(${prefix}_${signal}_total{${COLLECTOR}}[$__rate_interval]))`,
    legend: `{{${by}}} ${what}${signal.replace('_', ' ')}`,
  }));

export const arriving: Row = {
  title: 'What gets lost',
  panels: [
    stat({
      title: 'Targets not scraped',
      runbooks: ['TargetDown', 'MetricsMissing'],
      description:
        'Of all jobs of this Prometheus. Not 0: the table beside it says which; what the service does is unknown until it is back.',
      unit: 'none',
      width: 4,
      height: 8,
      decimals: 0,
      queries: [{ expr: 'count(up == 0) or vector(0)' }],
    }),
    table({
      title: 'Targets',
      description:
        'Every target: 1 is scraped, 0 is not. A replica that is missing here was never told to Prometheus, or has been taken away.',
      width: 10,
      by: { label: 'instance', title: 'Target' },
      columns: [
        { title: 'Up', unit: 'none', decimals: 0, expr: 'min by (instance) (up)' },
        { title: 'Scrape', unit: 's', decimals: 3, expr: 'max by (instance) (scrape_duration_seconds)' },
        { title: 'Samples', unit: 'locale', decimals: 0, expr: 'max by (instance) (scrape_samples_scraped)' },
      ],
    }),
    graph({
      title: 'Telemetry that the service dropped',
      runbooks: ['TelemetryDropped'],
      description:
        'Spans and log lines that were not sent, a minute. The collector is away or too slow: look at its row below. The lines are on stdout all the same; the metrics lose nothing.',
      unit: 'cpm',
      width: 10,
      queries: [
        {
          expr: `60 * ${perSecond(series('grantex_telemetry_dropped_total'), 'signal')}`,
          legend: '{{signal}}',
        },
      ],
    }),
  ],
};

export const scrapes: Row = {
  title: 'What a scrape costs',
  panels: [
    graph({
      title: 'Scrape duration',
      description:
        'How long GET /metrics takes. It answers within 1 s whatever happens; above 0.5 s look at the database, which the gauges wait for, and at the number of series.',
      unit: 's',
      width: 8,
      queries: [{ expr: series('scrape_duration_seconds'), legend: '{{instance}}' }],
    }),
    graph({
      title: 'Series of a scrape',
      description:
        'Bounded by METRICS_AGENT_LIMIT and the routes. A sudden step is a new version; a steady rise should not be: see what grows with topk(10, count by (__name__) ({job="…"})).',
      unit: 'locale',
      width: 8,
      queries: [{ expr: series('scrape_samples_scraped'), legend: '{{instance}}' }],
    }),
    graph({
      title: 'Series added',
      description:
        'New series at each scrape. Steadily above 0: a label has too many values, and Prometheus pays with memory.',
      unit: 'locale',
      width: 8,
      queries: [{ expr: series('scrape_series_added'), legend: '{{instance}}' }],
    }),
    graph({
      title: 'Failures to read metrics',
      runbooks: ['TelemetryFaults'],
      description:
        'Gauges that could not be read, or an exposition that could not be written. Almost always the database; metrics.collection_failed in the log says which.',
      unit: 'none',
      width: 12,
      look: 'bars',
      queries: [
        {
          expr: count(series('grantex_metrics_collection_errors_total'), 'instance'),
          legend: '{{instance}}',
        },
      ],
    }),
    graph({
      title: 'Faults while recording',
      runbooks: ['TelemetryFaults'],
      description:
        'Errors thrown by telemetry itself and swallowed. Any at all is a fault of the service: report it.',
      unit: 'none',
      width: 12,
      look: 'bars',
      queries: [
        { expr: count(series('grantex_telemetry_faults_total'), 'instance'), legend: '{{instance}}' },
      ],
    }),
  ],
};

export const collector: Row = {
  title: 'Collector',
  panels: [
    graph({
      title: 'Received',
      description:
        'What the collector took in, by receiver. Nothing, while the service has traffic: is OTEL_EXPORTER_OTLP_ENDPOINT set?',
      unit: 'eps',
      width: 8,
      queries: eachSignal('otelcol_receiver_accepted', 'receiver'),
      noValue: 'no collector',
    }),
    graph({
      title: 'Refused',
      runbooks: ['CollectorLosingTelemetry'],
      description:
        'What the collector sent back: its memory limit or its queue is full. The service tries again and then drops. Give it more memory, or mend what it sends to.',
      unit: 'eps',
      width: 8,
      queries: eachSignal('otelcol_receiver_refused', 'receiver'),
      noValue: 'none',
    }),
    graph({
      title: 'Sent on',
      description: 'What left the collector, by exporter. Much less than it received: see the queues.',
      unit: 'eps',
      width: 8,
      queries: eachSignal('otelcol_exporter_sent', 'exporter'),
      noValue: 'nothing yet',
    }),
    graph({
      title: 'Not sent',
      runbooks: ['CollectorLosingTelemetry'],
      description:
        'Attempts that failed for good, and what found the queue full: lost. Mend the backend that the exporter names.',
      unit: 'eps',
      width: 8,
      queries: [
        ...eachSignal('otelcol_exporter_send_failed', 'exporter'),
        ...eachSignal('otelcol_exporter_enqueue_failed', 'exporter', 'queue full: '),
      ],
      noValue: 'none',
    }),
    graph({
      title: 'Queues',
      runbooks: ['CollectorQueueFilling'],
      description:
        'How full the queue of each exporter is. At 1 new data is refused. It fills while the backend behind it is away, and lies on the disk.',
      unit: 'percentunit',
      width: 8,
      max: 1,
      queries: [
        {
          expr: `max by (exporter, data_type) (otelcol_exporter_queue_size{${COLLECTOR}} / otelcol_exporter_queue_capacity{${COLLECTOR}})`,
          legend: '{{exporter}} {{data_type}}',
        },
      ],
      noValue: 'no queues',
    }),
    graph({
      title: 'Memory of the collector',
      description:
        'Resident. Near OTELCOL_MEMORY_LIMIT_MIB it begins to refuse: raise the limit, or run another collector.',
      unit: 'bytes',
      width: 8,
      queries: [{ expr: `otelcol_process_memory_rss_bytes{${COLLECTOR}}`, legend: '{{instance}}' }],
      noValue: 'no collector',
    }),
  ],
};

export const alerting: Row = {
  title: 'Prometheus and Alertmanager',
  panels: [
    graph({
      title: 'Rules that failed',
      description:
        'Evaluations with an error. An alert that cannot be evaluated cannot fire: see the page Rules of Prometheus.',
      unit: 'none',
      width: 8,
      look: 'bars',
      queries: [
        {
          expr: 'sum by (instance) (increase(prometheus_rule_evaluation_failures_total[$__rate_interval]))',
          legend: byInstance('failed'),
        },
      ],
      noValue: 'no rules',
    }),
    graph({
      title: 'Notifications',
      description:
        'Alerts that Prometheus sent to Alertmanager, and those dropped on the way. Dropped ones wake nobody: is Alertmanager up?',
      unit: 'none',
      width: 8,
      look: 'bars',
      queries: [
        {
          expr: 'sum by (instance) (increase(prometheus_notifications_sent_total[$__rate_interval]))',
          legend: byInstance('sent'),
        },
        {
          expr: 'sum by (instance) (increase(prometheus_notifications_dropped_total[$__rate_interval]))',
          legend: byInstance('dropped'),
        },
      ],
      noValue: 'no Alertmanager',
    }),
    graph({
      title: 'Messages to people',
      description:
        'What Alertmanager sent, by kind of receiver, and what it could not send. Failed ones wake nobody: check the receiver in alertmanager.yml.',
      unit: 'none',
      width: 8,
      look: 'bars',
      queries: [
        {
          // Alertmanager has a series for every kind of receiver, even for unused ones.
          expr: 'sum by (integration) (increase(alertmanager_notifications_total[$__rate_interval])) > 0',
          legend: '{{integration}} sent',
        },
        {
          expr: 'sum(increase(alertmanager_notifications_failed_total[$__rate_interval]))',
          legend: 'failed',
        },
      ],
      noValue: 'Alertmanager is not scraped',
    }),
    graph({
      title: 'Series in memory of Prometheus',
      description:
        'All jobs together. About 4 KB of memory each: what it grows by, and when, tells who made it grow.',
      unit: 'locale',
      width: 24,
      height: 6,
      queries: [{ expr: 'prometheus_tsdb_head_series', legend: '{{instance}}' }],
      noValue: 'Prometheus does not scrape itself',
    }),
  ],
};
