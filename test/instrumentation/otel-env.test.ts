import { describe, expect, test } from 'vitest';
import { readOtelEnv } from '../../instrumentation/otel-env.ts';
import { ConfigError } from '../../src/config.ts';

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };
const ALL = { OTEL_METRICS_EXPORTER: 'otlp', ...ENDPOINT };
const NOTHING = { OTEL_TRACES_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none' };

/** Names of the variables that are refused. */
function refused(env: Record<string, string>): (string | undefined)[] {
  try {
    readOtelEnv(env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults.map((fault) => fault.split(' ')[0]);
  }
}
const protocols = (env: Record<string, string>) => {
  const { traces, logs, metrics } = readOtelEnv(env);
  return [traces, logs, metrics];
};

describe.each([
  ['without an endpoint', {}],
  ['with an endpoint', ENDPOINT],
  ['with all signals by OTLP', ALL],
  ['with no exporter', NOTHING],
])('%s', (_what, env) => {
  test.each([
    ['OTEL_LOG_LEVEL', 'loud'],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc'],
    ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'foo'],
    ['OTEL_EXPORTER_OTLP_LOGS_PROTOCOL', 'grpc'],
    ['OTEL_EXPORTER_OTLP_METRICS_PROTOCOL', 'http'],
  ])('%s=%s is refused by its name, once', (name, value) => {
    expect(refused({ ...env, [name]: value })).toEqual([name]);
    expect(refused({ ...env, [name]: value, OTEL_SDK_DISABLED: 'true' })).toEqual([]);
  });

  test.each(['none', 'error', 'warn', 'INFO', 'debug', ' Verbose', 'all', ''])(
    'OTEL_LOG_LEVEL=%s is taken',
    (level) => {
      const { logLevel } = readOtelEnv({ ...env, OTEL_LOG_LEVEL: level });
      expect(logLevel).toBe(level === '' ? 'warn' : level.trim().toLowerCase());
    },
  );
});

test('the protocol of a signal goes before the common one, and is http/protobuf otherwise', () => {
  expect(protocols({})).toEqual([null, null, null]);
  expect(protocols(ENDPOINT)).toEqual(['http/protobuf', 'http/protobuf', null]);
  expect(protocols({ ...ALL, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' })).toEqual([
    'http/json',
    'http/json',
    'http/json',
  ]);
  expect(
    protocols({
      ...ALL,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: 'http/protobuf',
    }),
  ).toEqual(['http/json', 'http/protobuf', 'http/json']);
});

describe('what the packages of the SDK would leave out without a word is refused by its name', () => {
  test.each([
    ['OTEL_RESOURCE_ATTRIBUTES', 'k1=v1,spam'],
    ['OTEL_RESOURCE_ATTRIBUTES', '%zz=1'],
    ['OTEL_RESOURCE_ATTRIBUTES', 'a=%'],
    ['OTEL_RESOURCE_ATTRIBUTES', 'a=b=c'],
    ['OTEL_RESOURCE_ATTRIBUTES', '=1'],
    ['OTEL_RESOURCE_ATTRIBUTES', `a=${'x'.repeat(256)}`],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'Authorization: Bearer x'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'authorization=Bearer x,x-team'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'authorization=Bearer x;y'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'authorization='],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'authorization=%zz'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'authorization=Bearer%0Ax'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'two words=x'],
    ['OTEL_EXPORTER_OTLP_TRACES_HEADERS', 'spam'],
    ['OTEL_EXPORTER_OTLP_LOGS_HEADERS', 'spam'],
    ['OTEL_EXPORTER_OTLP_METRICS_HEADERS', 'spam'],
    ['OTEL_EXPORTER_OTLP_TIMEOUT', '10s'],
    ['OTEL_EXPORTER_OTLP_LOGS_TIMEOUT', '0'],
    ['OTEL_EXPORTER_OTLP_COMPRESSION', 'zstd'],
    ['OTEL_EXPORTER_OTLP_CERTIFICATE', '/nowhere/ca.pem'],
    ['OTEL_EXPORTER_OTLP_CERTIFICATE', `${import.meta.filename}\n`],
    ['OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY', import.meta.dirname],
    ['OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE', 'sometimes'],
    ['OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT', 'many'],
    ['OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT', '-1'],
    ['OTEL_ATTRIBUTE_COUNT_LIMIT', 'none'],
    ['OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT', '1.5'],
    ['OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT', '-1'],
    ['OTEL_LINK_ATTRIBUTE_COUNT_LIMIT', 'x'],
    ['OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT', '12 lines'],
    ['OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT', '1e3'],
    ['OTEL_BLRP_MAX_EXPORT_BATCH_SIZE', '0'],
    ['OTEL_BLRP_EXPORT_TIMEOUT', '30s'],
    ['OTEL_PROPAGATORS', 'b3'],
    ['OTEL_PROPAGATORS', 'tracecontext,b3'],
    ['OTEL_PROPAGATORS', 'baggage'],
    ['OTEL_PROPAGATORS', 'none'],
    ['OTEL_METRICS_EXEMPLAR_FILTER', 'always_on'],
    ['OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION', 'base2_exponential_bucket_histogram'],
    ['OTEL_CONFIG_FILE', '/etc/otel.yaml'],
    ['OTEL_EXPERIMENTAL_CONFIG_FILE', '/etc/otel.yaml'],
    ['OTEL_TRACES_SAMPLER', 'ALWAYS_ON'],
    ['OTEL_TRACES_SAMPLER', 'jaeger_remote'],
    ['OTEL_BSP_SCHEDULE_DELAY', '5s'],
    ['OTEL_BSP_MAX_QUEUE_SIZE', '1e3'],
    ['OTEL_BSP_EXPORT_TIMEOUT', '-1'],
    ['OTEL_BSP_MAX_EXPORT_BATCH_SIZE', '0'],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'http'],
    ['OTEL_TRACES_EXPORTER', 'jaeger'],
    ['OTEL_LOGS_EXPORTER', 'console'],
    ['OTEL_METRICS_EXPORTER', 'otlp,statsd'],
  ])('%s=%s', (name, value) => {
    expect(refused({ ...ENDPOINT, [name]: value })).toEqual([name]);
    expect(refused({ [name]: value })).toEqual([name]);
    expect(refused({ [name]: value, OTEL_SDK_DISABLED: 'true' })).toEqual([]);
  });

  test.each([
    ['OTEL_RESOURCE_ATTRIBUTES', 'a=1, b = two words,,c=%2C%3D%25,d='],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'authorization=Bearer x=, x-team=a%2Cb,'],
    ['OTEL_EXPORTER_OTLP_TIMEOUT', ' 500 '],
    ['OTEL_EXPORTER_OTLP_TRACES_COMPRESSION', 'gzip'],
    ['OTEL_EXPORTER_OTLP_CERTIFICATE', import.meta.filename],
    ['OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE', 'Delta'],
    ['OTEL_SPAN_LINK_COUNT_LIMIT', '0'],
    ['OTEL_PROPAGATORS', 'tracecontext, baggage'],
    ['OTEL_RESOURCE_ATTRIBUTES', 'service_name=foo,a.b=1,a_b=2,1abc=2'],
    ['OTEL_SERVICE_NAME', 'any, name = at all'],
  ])('%s=%s is taken', (name, value) => {
    expect(refused({ ...ENDPOINT, [name]: value })).toEqual([]);
  });

  test.each([
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', '//collector'],
    ['OTEL_EXPORTER_OTLP_LOGS_ENDPOINT', 'grpc://collector:4317'],
  ])('an endpoint that is no URL of HTTP: %s=%s', (name, value) => {
    expect(refused({ [name]: value })).toEqual([name]);
  });

  test.each(['2', '-0.1', 'half'])('a share of traces that is none: %s', (value) => {
    const env = { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: value };
    expect(refused(env)).toEqual(['OTEL_TRACES_SAMPLER_ARG']);
  });

  test('no fault repeats a value', () => {
    const secret = 'Authorization: Bearer hunter2';
    expect(() => readOtelEnv({ OTEL_EXPORTER_OTLP_HEADERS: secret })).toThrow(ConfigError);
    try {
      readOtelEnv({ OTEL_EXPORTER_OTLP_HEADERS: secret });
    } catch (error) {
      expect(JSON.stringify(error)).not.toContain('hunter2');
    }
  });
});
