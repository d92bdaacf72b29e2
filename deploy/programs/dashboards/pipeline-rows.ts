import { NEUTRAL } from './colours.ts';
import type { Row } from './dashboard.ts';
import { graph, stat, table } from './panels.ts';
import { count, OUR_JOBS, PIPELINE, perSecond, series } from './queries.ts';

const SIGNALS_OF_OTLP = ['spans', 'log_records', 'metric_points'];
const byInstance = (what: string) => `{{instance}} ${what}`;
/** Every target of the chosen deployments, of their health checks, and of the pipeline. */
const ALL = `${OUR_JOBS.slice(0, -1)}|$pipeline"`;

/** The same counter of the collector for traces, logs and metrics: each in shades of its own colour. */
const eachSignal = (prefix: string, by: string, colours: readonly string[], what = '') =>
  SIGNALS_OF_OTLP.map((signal, index) => ({
    expr: `sum by (${by}) (rate(${prefix}_${signal}_total{${PIPELINE}}[$__rate_interval]))`,
    legend: `{{${by}}} ${what}${signal.replace('_', ' ')}`,
    shades: [[` ${what}${signal.replace('_', ' ')}$`, colours[index] ?? NEUTRAL[0]] as const],
  }));
const LOST = ['red', 'dark-red', 'light-red'];
const NOT_TAKEN = ['orange', 'dark-orange', 'yellow'];

export const arriving: Row = {
  title: 'What gets lost',
  panels: [
    stat({
      title: 'Targets not scraped',
      runbooks: ['GrantexTargetDown', 'MetricsMissing'],
      description:
        'Of the chosen deployments and of the pipeline. If it is not 0, the table in the next panel names the target. Its metrics are unknown until it is back.',
      unit: 'none',
      width: 4,
      height: 8,
      decimals: 0,
      queries: [{ expr: `count(up{${ALL}} == 0) or vector(0)` }],
    }),
    table({
      title: 'Targets',
      description:
        'Every target, and whether it is scraped. If a replica is missing here, the configuration of Prometheus does not name it.',
      width: 10,
      by: { label: 'instance', title: 'Target' },
      columns: [
        {
          title: 'State',
          unit: 'none',
          decimals: 0,
          expr: `min by (instance) (up{${ALL}})`,
          words: [
            { from: 0, to: 0, text: 'down', color: 'red' },
            { from: 1, to: 1, text: 'up', color: 'green' },
          ],
        },
        {
          title: 'Scrape',
          unit: 's',
          decimals: 3,
          expr: `max by (instance) (scrape_duration_seconds{${ALL}})`,
        },
        {
          title: 'Samples',
          unit: 'locale',
          decimals: 0,
          expr: `max by (instance) (scrape_samples_scraped{${ALL}})`,
        },
      ],
    }),
    graph({
      title: 'Telemetry that the service dropped',
      runbooks: ['TelemetryDropped'],
      description:
        'Spans and log lines a minute that were not sent. The collector is down or too slow: look at its row below. The log lines are still on stdout, and the metrics are complete.',
      unit: 'cpm',
      width: 10,
      queries: [
        {
          expr: `60 * ${perSecond(series('grantex_telemetry_dropped_total'), 'signal')}`,
          legend: '{{signal}}',
          names: ['traces', 'logs', 'stdout'],
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
        'How long GET /metrics takes. It always answers within 1 s. Above 0.5 s, look at the number of series and at the database, because the gauges wait for it.',
      unit: 's',
      width: 8,
      queries: [{ expr: series('scrape_duration_seconds'), legend: '{{instance}}' }],
    }),
    graph({
      title: 'Series of a scrape',
      description:
        'METRICS_AGENT_LIMIT and the number of routes bound it. A sudden step means a new version. A steady rise is a fault: find what grows with topk(10, count by (__name__) ({job="…"})).',
      unit: 'locale',
      width: 8,
      queries: [{ expr: series('scrape_samples_scraped'), legend: '{{instance}}' }],
    }),
    graph({
      title: 'Series added',
      description:
        'New series at each scrape. If it stays above 0, a label has too many values, and Prometheus needs more memory.',
      unit: 'locale',
      width: 8,
      queries: [{ expr: series('scrape_series_added'), legend: '{{instance}}' }],
    }),
    graph({
      title: 'Failures to read metrics',
      runbooks: ['TelemetryFaults'],
      description:
        'Gauges that could not be read, or an exposition that could not be written. The cause is almost always the database. metrics.collection_failed in the log says which.',
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
        'Errors that telemetry threw and swallowed. Each one is a fault of the service: report it.',
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
        'What the collector accepted, by receiver. If it is 0 while the service has traffic, check OTEL_EXPORTER_OTLP_ENDPOINT.',
      unit: 'eps',
      width: 8,
      queries: eachSignal('otelcol_receiver_accepted', 'receiver', NEUTRAL),
      noValue: 'no collector',
    }),
    graph({
      title: 'Refused',
      runbooks: ['CollectorLosingTelemetry'],
      description:
        'What the collector refused, because its memory or its queue is full. The service tries again and then drops. Give the collector more memory, or repair the backend that it sends to.',
      unit: 'eps',
      width: 8,
      queries: eachSignal('otelcol_receiver_refused', 'receiver', NOT_TAKEN, 'refused '),
      noValue: 'none',
    }),
    graph({
      title: 'Sent on',
      description:
        'What the collector sent, by exporter. If it is much less than it received, look at the queues.',
      unit: 'eps',
      width: 8,
      queries: eachSignal('otelcol_exporter_sent', 'exporter', NEUTRAL),
      noValue: 'nothing yet',
    }),
    graph({
      title: 'Not sent',
      runbooks: ['CollectorLosingTelemetry'],
      description:
        'Lost telemetry: attempts that failed for good, and data that met a full queue. Repair the backend that the exporter names.',
      unit: 'eps',
      width: 8,
      queries: [
        ...eachSignal('otelcol_exporter_send_failed', 'exporter', LOST, 'failed '),
        ...eachSignal('otelcol_exporter_enqueue_failed', 'exporter', NOT_TAKEN, 'queue full: '),
      ],
      noValue: 'none',
    }),
    graph({
      title: 'Queues',
      runbooks: ['CollectorQueueFilling'],
      description:
        'How full the queue of each exporter is. At 1 the collector refuses new data. The queue is on the disk. It fills while the backend is down.',
      unit: 'percentunit',
      width: 8,
      max: 1,
      queries: [
        {
          expr: `max by (exporter, data_type) (otelcol_exporter_queue_size{${PIPELINE}} / otelcol_exporter_queue_capacity{${PIPELINE}})`,
          legend: '{{exporter}} {{data_type}}',
        },
      ],
      noValue: 'no queues',
    }),
    graph({
      title: 'Memory of the collector',
      description:
        'Resident memory. Near OTELCOL_MEMORY_LIMIT_MIB the collector begins to refuse: raise the limit, or run another collector.',
      unit: 'bytes',
      width: 8,
      queries: [{ expr: `otelcol_process_memory_rss_bytes{${PIPELINE}}`, legend: '{{instance}}' }],
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
        'Evaluations that failed. An alert cannot fire when its evaluation fails: see the page Rules of Prometheus.',
      unit: 'none',
      width: 8,
      look: 'bars',
      queries: [
        {
          expr: `sum by (instance) (increase(prometheus_rule_evaluation_failures_total{${PIPELINE}}[$__rate_interval]))`,
          legend: byInstance('failed'),
          shades: [[' failed$', 'red']],
        },
      ],
      noValue: 'no rules',
    }),
    graph({
      title: 'Notifications',
      description:
        'Alerts that Prometheus sent to Alertmanager, and alerts that it dropped. A dropped alert reaches nobody: check that Alertmanager is up.',
      unit: 'none',
      width: 8,
      look: 'bars',
      queries: [
        {
          expr: `sum by (instance) (increase(prometheus_notifications_sent_total{${PIPELINE}}[$__rate_interval]))`,
          legend: byInstance('sent'),
          shades: [[' sent$', 'green']],
        },
        {
          expr: `sum by (instance) (increase(prometheus_notifications_dropped_total{${PIPELINE}}[$__rate_interval]))`,
          legend: byInstance('dropped'),
          shades: [[' dropped$', 'red']],
        },
      ],
      noValue: 'no Alertmanager',
    }),
    graph({
      title: 'Messages to people',
      description:
        'What Alertmanager sent, by kind of receiver, and what it could not send. A failed message reaches nobody: check the receiver in alertmanager.yml.',
      unit: 'none',
      width: 8,
      look: 'bars',
      queries: [
        {
          // Alertmanager has a series for every kind of receiver, also for unused ones.
          expr: `sum by (integration) (increase(alertmanager_notifications_total{${PIPELINE}}[$__rate_interval])) > 0`,
          legend: '{{integration}} sent',
          shades: [[' sent$', 'green']],
        },
        {
          expr: `sum(increase(alertmanager_notifications_failed_total{${PIPELINE}}[$__rate_interval]))`,
          legend: 'failed',
        },
      ],
      noValue: 'Alertmanager is not scraped',
    }),
    graph({
      title: 'Series in memory of Prometheus',
      description:
        'All its jobs together. A series needs about 4 KB of memory. The size and the time of a step show which job added the series.',
      unit: 'locale',
      width: 24,
      height: 6,
      queries: [{ expr: `prometheus_tsdb_head_series{${PIPELINE}}`, legend: '{{instance}}' }],
      noValue: 'Prometheus does not scrape itself',
    }),
  ],
};
