/** A standard variable of OpenTelemetry that this service honours; the SDK, or `otel-env.ts`, reads it. */
export interface StandardVariable {
  readonly name: string;
  /** Empty: unset. */
  readonly defaultText: string;
  /** Empty: said with the variable before it. */
  readonly text: string;
}

/** For people: .env.example and docs/configuration.md list them. */
export const STANDARD_VARIABLES: readonly StandardVariable[] = [
  {
    name: 'OTEL_SDK_DISABLED',
    defaultText: 'false',
    text: 'true turns every signal off, /metrics included; the lines on stdout stay.',
  },
  {
    name: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    defaultText: '',
    text: 'Where traces and logs go, and metrics too if OTEL_METRICS_EXPORTER says so. For example http://localhost:4318',
  },
  {
    name: 'OTEL_EXPORTER_OTLP_PROTOCOL',
    defaultText: 'http/protobuf',
    text: 'http/protobuf or http/json; grpc is refused.',
  },
  {
    name: 'OTEL_EXPORTER_OTLP_HEADERS',
    defaultText: '',
    text: 'name=value, comma separated, percent encoded.',
  },
  { name: 'OTEL_EXPORTER_OTLP_TIMEOUT', defaultText: '10000', text: 'Milliseconds.' },
  { name: 'OTEL_EXPORTER_OTLP_COMPRESSION', defaultText: 'none', text: 'none or gzip.' },
  {
    name: 'OTEL_EXPORTER_OTLP_CERTIFICATE',
    defaultText: '',
    text: "Files: the collector's authority, and this client's certificate and key.",
  },
  { name: 'OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE', defaultText: '', text: '' },
  { name: 'OTEL_EXPORTER_OTLP_CLIENT_KEY', defaultText: '', text: '' },
  {
    name: 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
    defaultText: '',
    text: 'Each of the six above also for one signal alone, for example:',
  },
  { name: 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', defaultText: '', text: '' },
  { name: 'OTEL_EXPORTER_OTLP_LOGS_ENDPOINT', defaultText: '', text: '' },
  { name: 'OTEL_EXPORTER_OTLP_LOGS_PROTOCOL', defaultText: '', text: '' },
  { name: 'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT', defaultText: '', text: '' },
  { name: 'OTEL_EXPORTER_OTLP_METRICS_PROTOCOL', defaultText: '', text: '' },
  {
    name: 'OTEL_TRACES_EXPORTER',
    defaultText: 'otlp',
    text: 'otlp or none. Metrics go by OTLP only with otlp, beside /metrics.',
  },
  { name: 'OTEL_LOGS_EXPORTER', defaultText: 'otlp', text: '' },
  { name: 'OTEL_METRICS_EXPORTER', defaultText: 'none', text: '' },
  {
    name: 'OTEL_METRIC_EXPORT_INTERVAL',
    defaultText: '60000',
    text: 'Milliseconds between two exports of metrics, and for one of them.',
  },
  { name: 'OTEL_METRIC_EXPORT_TIMEOUT', defaultText: '30000', text: '' },
  {
    name: 'OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE',
    defaultText: 'cumulative',
    text: 'cumulative, delta or lowmemory.',
  },
  {
    name: 'OTEL_TRACES_SAMPLER',
    defaultText: 'parentbased_always_on',
    text: 'always_on, always_off, traceidratio, and each of them as parentbased_….',
  },
  { name: 'OTEL_TRACES_SAMPLER_ARG', defaultText: '1', text: 'For the two with traceidratio: 0 to 1.' },
  { name: 'OTEL_BSP_MAX_QUEUE_SIZE', defaultText: '2048', text: 'Batches of spans; milliseconds.' },
  { name: 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE', defaultText: '512', text: '' },
  { name: 'OTEL_BSP_SCHEDULE_DELAY', defaultText: '5000', text: '' },
  { name: 'OTEL_BSP_EXPORT_TIMEOUT', defaultText: '30000', text: '' },
  {
    name: 'OTEL_BLRP_MAX_QUEUE_SIZE',
    defaultText: '2048',
    text: 'Log lines on their way at a time, and how long they wait for company; milliseconds.',
  },
  { name: 'OTEL_BLRP_SCHEDULE_DELAY', defaultText: '250', text: '' },
  { name: 'OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT', defaultText: '', text: 'Limits of spans.' },
  { name: 'OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT', defaultText: '128', text: '' },
  { name: 'OTEL_SPAN_EVENT_COUNT_LIMIT', defaultText: '128', text: '' },
  { name: 'OTEL_SPAN_LINK_COUNT_LIMIT', defaultText: '128', text: '' },
  { name: 'OTEL_SERVICE_NAME', defaultText: 'grantex-auth', text: 'Who sends.' },
  { name: 'OTEL_RESOURCE_ATTRIBUTES', defaultText: '', text: 'name=value, comma separated.' },
  {
    name: 'OTEL_LOG_LEVEL',
    defaultText: 'warn',
    text: "What OpenTelemetry's packages say of themselves: none, error, warn, info, debug, verbose or all.",
  },
];
