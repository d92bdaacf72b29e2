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
