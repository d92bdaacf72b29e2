import { describe, expect, test } from 'vitest';
import { negotiate } from '../../instrumentation/negotiate.ts';

const PROMETHEUS_3 =
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2';
const PROMETHEUS_3_WITH_START_TIMES = `application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,${PROMETHEUS_3.replace('q=0.6', 'q=0.5')}`;
const PROMETHEUS_2 =
  'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';

describe('Accept', () => {
  test.each([
    [PROMETHEUS_3, 'openmetrics'],
    [PROMETHEUS_3_WITH_START_TIMES, 'openmetrics'],
    [PROMETHEUS_2, 'openmetrics'],
    ['application/openmetrics-text', 'openmetrics'],
    ['Application/OpenMetrics-Text; Version="1.0.0"; charset=utf-8', 'openmetrics'],
    ['application/openmetrics-text;q=0.5, */*;q=0.5', 'openmetrics'],
    ['text/plain;version=0.0.4;q=0.1, */*;q=0.9, application/openmetrics-text;q=0.2', 'openmetrics'],
    [undefined, 'text'],
    ['', 'text'],
    ['*/*', 'text'],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'text'],
    ['text/plain;version=0.0.4', 'text'],
    ['text/plain;q=0.6, application/openmetrics-text;version=1.0.0;q=0.5', 'text'],
    ['text/*, application/openmetrics-text;q=0.5', 'text'],
    ['application/openmetrics-text;version=1.0.0;q=0', 'text'],
    ['application/openmetrics-text;version=2.0.0', 'text'],
    ['application/openmetrics-text;q=spam', 'text'],
    ['application/openmetrics-text;q=2', 'text'],
    ['application/vnd.google.protobuf', 'text'],
    [';;=,,', 'text'],
  ])('%s', (accept, format) => {
    expect(negotiate({ accept }).format).toBe(format);
  });
});

describe('Accept-Encoding', () => {
  test.each([
    ['gzip', true],
    ['gzip, deflate, br', true],
    ['deflate, GZIP;q=0.5', true],
    ['*', true],
    [undefined, false],
    ['', false],
    ['identity', false],
    ['gzip;q=0', false],
    ['*, gzip;q=0', false],
    ['*;q=0', false],
    ['xgzip', false],
  ])('%s', (encoding, gzip) => {
    expect(negotiate(encoding === undefined ? {} : { 'accept-encoding': encoding }).gzip).toBe(gzip);
  });
});
