import { headerPairs, readableFile, resourcePairs } from './otlp-values.ts';
import { Fault, integer, oneOf, type Parser } from './values.ts';
import { optional, type Variable, variable } from './variable.ts';

/** Levels at which OpenTelemetry's packages report on themselves. */
export const DIAGNOSTIC_LEVELS = ['none', 'error', 'warn', 'info', 'debug', 'verbose', 'all'] as const;
export type DiagnosticLevel = (typeof DIAGNOSTIC_LEVELS)[number];

const whole: Parser<number> = (text) =>
  /^[1-9]\d{0,8}$/.test(text) ? Number(text) : new Fault('a whole number from 1');
const protocol = oneOf(['http/protobuf', 'http/json'] as const);
const endpoint: Parser<string> = (text) =>
  /^https?:\/\//.test(text) && URL.canParse(text) ? text : new Fault('a URL beginning http:// or https://');
const exporters =
  (known: readonly string[]): Parser<readonly string[]> =>
  (text) => {
    const chosen = text.split(',').map((part) => part.trim());
    return chosen.every((one) => known.includes(one)) ? chosen : new Fault(`one of ${known.join(', ')}`);
  };
const ratio: Parser<number> = (text) =>
  Number(text) >= 0 && Number(text) <= 1 ? Number(text) : new Fault('a number from 0 to 1');
const diagnosticLevel: Parser<DiagnosticLevel> = (text) => oneOf(DIAGNOSTIC_LEVELS)(text.toLowerCase());
const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;
/** The packages of the SDK take any text. */
const anyText: Parser<string> = (text) => text;
const trimmed =
  <T>(parse: Parser<T>): Parser<T> =>
  (text) =>
    parse(text.trim());
const count = trimmed(integer(0, 999_999_999));

/** The three variables that say whether, where and how one signal is sent. */
const signal = (
  name: 'TRACES' | 'LOGS' | 'METRICS',
  known: readonly string[],
  fallback: string,
  text: string,
) => ({
  exporter: variable(`OTEL_${name}_EXPORTER`, exporters(known), fallback, text),
  endpoint: optional(
    `OTEL_EXPORTER_OTLP_${name}_ENDPOINT`,
    endpoint,
    `Where ${name.toLowerCase()} go. Unset: the path of the signal at \`OTEL_EXPORTER_OTLP_ENDPOINT\`. Headers, timeout, compression and certificates can be set for one signal alone, too.`,
  ),
  protocol: optional(
    `OTEL_EXPORTER_OTLP_${name}_PROTOCOL`,
    protocol,
    `How ${name.toLowerCase()} are sent. Unset: \`OTEL_EXPORTER_OTLP_PROTOCOL\`.`,
  ),
});

/** The three variables of each signal. */
export const SIGNAL_VARIABLES = {
  traces: signal('TRACES', ['otlp', 'none'], 'otlp', '`otlp` or `none`.'),
  logs: signal('LOGS', ['otlp', 'none'], 'otlp', '`otlp` or `none`.'),
  metrics: signal(
    'METRICS',
    ['otlp', 'none', 'prometheus'],
    'none',
    '`otlp`, `none` or `prometheus`. With `otlp` metrics are sent, too, beside `/metrics`; the other two send none.',
  ),
};

/** The standard variables that instrumentation/otel-env.ts reads besides those of the signals. */
export const OTEL_READ_VARIABLES = {
  disabled: variable(
    'OTEL_SDK_DISABLED',
    // Anything but true means false, as the specification says.
    (text) => text.toLowerCase() === 'true',
    'false',
    'true: turns every signal off, `/metrics` included. The log lines on standard output stay.',
  ),
  endpoint: optional(
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    endpoint,
    'Where traces and logs go, and metrics if `OTEL_METRICS_EXPORTER` says so. For example http://localhost:4318. Unset: nothing is sent anywhere.',
  ),
  protocol: variable(
    'OTEL_EXPORTER_OTLP_PROTOCOL',
    protocol,
    'http/protobuf',
    '`http/protobuf` or `http/json`. The service refuses `grpc`.',
  ),
  metricInterval: variable(
    'OTEL_METRIC_EXPORT_INTERVAL',
    whole,
    '60000',
    'Milliseconds between two exports of metrics.',
  ),
  metricTimeout: variable(
    'OTEL_METRIC_EXPORT_TIMEOUT',
    whole,
    '30000',
    'Milliseconds for one export of metrics.',
  ),
  sampler: variable(
    'OTEL_TRACES_SAMPLER',
    oneOf(SAMPLERS),
    'parentbased_always_on',
    `Which traces are recorded: ${SAMPLERS.map((name) => `\`${name}\``).join(', ')}.`,
  ),
  samplerRatio: variable(
    'OTEL_TRACES_SAMPLER_ARG',
    ratio,
    '1',
    'The share of traces that the two `traceidratio` samplers record, from 0 to 1.',
  ),
  spanQueue: variable(
    'OTEL_BSP_MAX_QUEUE_SIZE',
    whole,
    '2048',
    'Spans that wait to be sent; more are dropped.',
  ),
  spanBatch: variable('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', whole, '512', 'Spans of one export.'),
  spanDelay: variable(
    'OTEL_BSP_SCHEDULE_DELAY',
    whole,
    '5000',
    'Milliseconds that spans wait for a full batch.',
  ),
  spanTimeout: variable('OTEL_BSP_EXPORT_TIMEOUT', whole, '30000', 'Milliseconds for one export of spans.'),
  logQueue: variable(
    'OTEL_BLRP_MAX_QUEUE_SIZE',
    whole,
    '2048',
    'Most log lines in flight. Further lines are dropped.',
  ),
  // Shorter than the second of the specification, because the end of the service waits for it.
  logDelay: variable('OTEL_BLRP_SCHEDULE_DELAY', whole, '250', 'Milliseconds that log lines wait for more.'),
  logLevel: variable(
    'OTEL_LOG_LEVEL',
    diagnosticLevel,
    'warn',
    `Least severe level at which OpenTelemetry's packages report on themselves: ${DIAGNOSTIC_LEVELS.join(', ')}.`,
  ),
};

/** How the exporters send. Each can also be set for one signal, as `OTEL_EXPORTER_OTLP_TRACES_HEADERS`. */
const EXPORTER_VARIABLES: readonly Variable[] = [
  optional('OTEL_EXPORTER_OTLP_HEADERS', headerPairs, 'name=value, comma separated, percent encoded.'),
  variable('OTEL_EXPORTER_OTLP_TIMEOUT', trimmed(whole), '10000', 'Milliseconds for one request.'),
  variable('OTEL_EXPORTER_OTLP_COMPRESSION', trimmed(oneOf(['none', 'gzip'])), 'none', '`none` or `gzip`.'),
  optional(
    'OTEL_EXPORTER_OTLP_CERTIFICATE',
    readableFile,
    "File with the collector's certificate authority.",
  ),
  optional(
    'OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE',
    readableFile,
    'File with the certificate of this client.',
  ),
  optional('OTEL_EXPORTER_OTLP_CLIENT_KEY', readableFile, 'File with the key of this client.'),
];

const SDK_VARIABLES: readonly Variable[] = [
  variable(
    'OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE',
    (text) => oneOf(['cumulative', 'delta', 'lowmemory'])(text.toLowerCase()),
    'cumulative',
    '`cumulative`, `delta` or `lowmemory`.',
  ),
  optional('OTEL_ATTRIBUTE_COUNT_LIMIT', count, 'Most attributes of a span or a log line. Unset: 128.'),
  optional('OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT', count, 'Longest value of an attribute. Unset: no limit.'),
  variable('OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT', count, '128', 'Most attributes of a span.'),
  optional('OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT', count, 'Longest value of an attribute of a span.'),
  variable('OTEL_SPAN_EVENT_COUNT_LIMIT', count, '128', 'Most events of a span.'),
  variable('OTEL_SPAN_LINK_COUNT_LIMIT', count, '128', 'Most links of a span.'),
  variable('OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT', count, '128', 'Most attributes of an event of a span.'),
  variable('OTEL_LINK_ATTRIBUTE_COUNT_LIMIT', count, '128', 'Most attributes of a link of a span.'),
  variable('OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT', count, '128', 'Most attributes of a log line.'),
  optional(
    'OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT',
    count,
    'Longest value of an attribute of a log line.',
  ),
  variable('OTEL_BLRP_MAX_EXPORT_BATCH_SIZE', trimmed(whole), '512', 'Log lines of one export.'),
  variable('OTEL_BLRP_EXPORT_TIMEOUT', trimmed(whole), '30000', 'Milliseconds for one export of log lines.'),
  variable('OTEL_SERVICE_NAME', anyText, 'grantex-auth', 'Name of the service that sends.'),
  optional(
    'OTEL_RESOURCE_ATTRIBUTES',
    resourcePairs,
    'More of the service that sends: name=value, comma separated, percent encoded.',
  ),
];

const propagators: Parser<readonly string[]> = (text) => {
  const chosen = text.split(',').map((part) => part.trim());
  return chosen.includes('tracecontext') && chosen.every((one) => ['tracecontext', 'baggage'].includes(one))
    ? chosen
    : new Fault(
        'tracecontext,baggage, or unset: TRUST_TRACE_CONTEXT says whether an incoming context is honoured',
      );
};
const nothing: Parser<never> = () => new Fault('unset: there is no configuration by file');

/** They have one value here. Another one would be ignored. */
const FIXED_VARIABLES: readonly Variable[] = [
  variable('OTEL_PROPAGATORS', propagators, 'tracecontext,baggage', '`tracecontext,baggage`.'),
  variable('OTEL_METRICS_EXEMPLAR_FILTER', trimmed(oneOf(['trace_based'])), 'trace_based', '`trace_based`.'),
  variable(
    'OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION',
    trimmed(oneOf(['explicit_bucket_histogram'])),
    'explicit_bucket_histogram',
    '`explicit_bucket_histogram`.',
  ),
  ...['OTEL_CONFIG_FILE', 'OTEL_EXPERIMENTAL_CONFIG_FILE'].map((name) =>
    optional(name, nothing, 'Not known here.'),
  ),
];

/**
 * What the packages of the SDK read themselves, and would ignore without a word when they cannot read it, and what they would
 * ignore whatever it says. The common ones and those of each signal.
 */
export const VARIABLES_OF_SDK: readonly Variable[] = [
  ...EXPORTER_VARIABLES.flatMap((common) => [
    common,
    ...Object.keys(SIGNAL_VARIABLES).map((its) => ({
      ...common,
      name: common.name.replace('_OTLP_', `_OTLP_${its.toUpperCase()}_`),
    })),
  ]),
  ...SDK_VARIABLES,
  ...FIXED_VARIABLES,
];

const { disabled, endpoint: anyEndpoint, protocol: anyProtocol, ...others } = OTEL_READ_VARIABLES;

/** The standard variables of OpenTelemetry: those that the service reads itself, and those that the SDK's packages read. */
export const STANDARD_VARIABLES: readonly Variable[] = [
  disabled,
  anyEndpoint,
  anyProtocol,
  ...EXPORTER_VARIABLES,
  ...Object.values(SIGNAL_VARIABLES).flatMap((its) => Object.values<Variable>(its)),
  ...Object.values<Variable>(others),
  ...SDK_VARIABLES,
];
