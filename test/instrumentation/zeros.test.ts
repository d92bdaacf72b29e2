import { readdir, readFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BUDGETED_REQUESTS } from '../../src/label-values.ts';
import { samplesOf, startHarness } from '../telemetry/harness.ts';

let harness: ReturnType<typeof startHarness>;
beforeEach(() => {
  harness = startHarness();
});
afterEach(() => harness.stop());

const FORMATS = ['text', 'openmetrics'] as const;
const HTTP = 'grantex_http_request_duration_seconds';
const START = (performance.timeOrigin / 1000).toFixed(3);

/** Series of counts of the families that have zeros, with their values. */
const countsOf = (exposition: string) =>
  Object.fromEntries(
    [...samplesOf(exposition)].filter(([series]) =>
      /^grantex_((authorize|token_exchange|http_request)_duration|consent_wait)_seconds_count/.test(series),
    ),
  );
const ZEROS = {
  grantex_authorize_duration_seconds_count: 0,
  grantex_token_exchange_duration_seconds_count: 0,
  'grantex_consent_wait_seconds_count{decision="approved"}': 0,
  'grantex_consent_wait_seconds_count{decision="denied"}': 0,
  ...Object.fromEntries(
    BUDGETED_REQUESTS.flatMap(({ method, route, success }) =>
      [success, 500, 503].map((status) => [
        `${HTTP}_count{method="${method}",route="${route}",status_code="${status}"}`,
        0,
      ]),
    ),
  ),
};

const requests = () => harness.meter.createHistogram('http.server.request.duration', { unit: 's' });
const request = (route: string, status: number) => ({
  'http.request.method': 'POST',
  'http.route': route,
  'http.response.status_code': status,
});

test.each(FORMATS)(
  '%s: histograms of closed labels are there with zeros before their first event',
  async (format) => {
    const exposition = await harness.scrape(format);
    expect(countsOf(exposition)).toEqual(ZEROS);
    expect(exposition).toContain('grantex_authorize_duration_seconds_bucket{le="0.01"} 0\n');
    expect(exposition).toContain('grantex_authorize_duration_seconds_bucket{le="+Inf"} 0\n');
    expect(exposition).toContain('grantex_authorize_duration_seconds_sum 0\n');
    expect(exposition).not.toContain('grantex_agent_authorize_duration_seconds');
  },
);

test.each(FORMATS)(
  '%s: the header of a family is the same before and after its first event',
  async (format) => {
    const header = async () =>
      (await harness.scrape(format)).match(/^# \w+ grantex_authorize_duration_seconds .*$/gm) ?? [];
    const before = await header();
    harness.telemetry.instruments.authorizeDuration.record(0.1);
    expect(await header()).toEqual(before);
    expect(before).toHaveLength(3);
  },
);

test.each(FORMATS)('%s: an event takes the place of its zero, and no other', async (format) => {
  requests().record(0.02, request('/v1/token', 503));
  requests().record(0.02, request('/v1/token', 400));
  requests().record(0.02, request('/v1/grants/delegate', 201));
  harness.telemetry.instruments.tokenExchangeDuration.record(0.02);
  const counted = (route: string, status: number) =>
    `${HTTP}_count{method="POST",route="${route}",status_code="${status}"}`;
  expect(countsOf(await harness.scrape(format))).toEqual({
    ...ZEROS,
    grantex_token_exchange_duration_seconds_count: 1,
    [counted('/v1/token', 503)]: 1,
    [counted('/v1/token', 400)]: 1,
    [counted('/v1/grants/delegate', 201)]: 1,
  });
});

test('such a series began with the process, before its first event and after it', async () => {
  const created = async () =>
    [...samplesOf(await harness.scrape('openmetrics'))].filter(([series]) =>
      /^grantex_(authorize_duration_seconds|http_request_duration_seconds)_created/.test(series),
    );
  const before = new Map(await created());
  expect(new Set(before.values())).toEqual(new Set([Number(START)]));
  expect(before.size).toBe(1 + BUDGETED_REQUESTS.length * 3);
  harness.telemetry.instruments.authorizeDuration.record(0.1);
  requests().record(0.02, request('/v1/authorize', 201));
  expect(new Map(await created())).toEqual(before);
});

test('no zero is in what other readers collect: their points say when they began', async () => {
  const { resourceMetrics } = await harness.reader.collect();
  const names = resourceMetrics.scopeMetrics.flatMap(({ metrics }) =>
    metrics.map(({ descriptor }) => descriptor.name),
  );
  expect(names).toContain('grantex_authorize_total');
  expect(names).not.toContain('grantex_authorize_duration_seconds');
});

test('the requests of the error budgets are those of the list', async () => {
  const directory = new URL('../../deploy/programs/rules/slo/', import.meta.url);
  const files = await Promise.all(
    (await readdir(directory)).map((name) => readFile(new URL(name, directory), 'utf8')),
  );
  const selected = files.flatMap((text) =>
    [...text.matchAll(/method="(\w+)", route="([^"]+)"/g)].map(([, method, route]) => `${method} ${route}`),
  );
  expect([...new Set(selected)].sort()).toEqual(
    BUDGETED_REQUESTS.map(({ method, route }) => `${method} ${route}`).sort(),
  );
});
