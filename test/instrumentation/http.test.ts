import { request } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { waitFor } from '../support/child.ts';
import { samplesOf } from '../telemetry/harness.ts';
import { type Child, type Sink, sentSpans, startChild, startSink } from './child.ts';

let child: Child | undefined;
let sink: Sink | undefined;
afterEach(async () => {
  child?.kill();
  await child?.exited;
  await sink?.close();
  child = undefined;
  sink = undefined;
});

const exporting = (to: Sink) => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: to.url,
  OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
});
const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const TRACEPARENT = { traceparent: `00-${TRACE_ID}-b7ad6b7169203331-01` };

test('the latest sampled request of a bucket is its exemplar, in OpenMetrics', async () => {
  sink = await startSink();
  child = await startChild(exporting(sink));
  const { url } = child;
  await fetch(`${url}/v1/consent/one`);
  const scrape = async () => {
    const headers = { accept: 'application/openmetrics-text; version=1.0.0' };
    return (await fetch(`${url}/metrics`, { headers })).text();
  };
  const exemplar = await waitFor(
    async () =>
      /^grantex_http_request_duration_seconds_bucket\{method="GET",route="\/v1\/consent\/:id",status_code="200",le="[^"]+"\} 1 # \{trace_id="(\w+)",span_id="(\w+)"\} (\S+) \S+$/m.exec(
        await scrape(),
      ) ?? undefined,
  );
  await child.stop();
  const [span] = sentSpans(sink);
  expect([exemplar[1], exemplar[2]]).toEqual([span?.traceId, span?.spanId]);
  expect(Number(exemplar[3])).toBeGreaterThan(0);
});

test('without an endpoint nothing is sampled, and there are no exemplars', async () => {
  child = await startChild();
  const { url } = child;
  await fetch(`${url}/v1/consent/one`);
  await expect.poll(() => counts(url)).toHaveLength(1);
  const headers = { accept: 'application/openmetrics-text' };
  expect(await (await fetch(`${url}/metrics`, { headers })).text()).not.toContain('trace_id');
});

test('requests that are under way are counted by method; /metrics is not', async () => {
  child = await startChild();
  const { url } = child;
  const active = async () => {
    const text = await (await fetch(`${url}/metrics`)).text();
    const lines = text.match(/^http_server_active_requests\{.*$/gm) ?? [];
    return lines.filter((line) => !line.endsWith(' 0'));
  };
  const text = await (await fetch(`${url}/metrics`)).text();
  expect(text).toContain('http_server_active_requests{method="_OTHER"} 0\n');
  const held = request(`${url}/slow`).on('error', () => undefined);
  held.end();
  await child.message(({ waiting }) => waiting === true);
  expect(await active()).toEqual(['http_server_active_requests{method="GET"} 1']);
  held.destroy();
  await expect.poll(active).toEqual([]);
});

/** Series that have an event; some are there with zeros from the first scrape. */
async function counts(url: string): Promise<string[]> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const series = [...samplesOf(text)].filter(
    ([name, value]) => name.startsWith('grantex_http_request_duration_seconds_count') && Number(value) > 0,
  );
  return series.map(([name, value]) => `${name.slice(name.indexOf('{'))} ${value}`).sort();
}

test('requests are measured by template; /metrics is not, and unknown paths are one series', async () => {
  child = await startChild();
  const { url } = child;
  for (const path of ['/v1/consent/one', '/v1/consent/two?code=x', '/wp-admin', '/etc/passwd'])
    await fetch(url + path);
  await fetch(`${url}/v1/token`, { method: 'POST', body: '{}' });
  await fetch(`${url}/metrics?x=1`);
  expect(await counts(url)).toEqual([
    '{method="GET",route="/v1/consent/:id",status_code="200"} 2',
    '{method="GET",route="unmatched",status_code="404"} 2',
    '{method="POST",route="/v1/token",status_code="201"} 1',
  ]);
});

test('a client that leaves before the answer is a 499 of its route, never a 200', async () => {
  sink = await startSink();
  child = await startChild(exporting(sink));
  const { url } = child;
  const aborted = request(`${url}/slow`).on('error', () => undefined);
  aborted.end();
  await child.message(({ waiting }) => waiting === true);
  aborted.destroy();
  await expect.poll(() => counts(url)).toEqual(['{method="GET",route="/slow",status_code="499"} 1']);
  await child.stop();
  const [span] = sentSpans(sink);
  expect(span).toMatchObject({ name: 'GET /slow', status: { code: 0 } });
  expect(span?.attributes).toMatchObject({ 'http.response.status_code': 499, 'http.route': '/slow' });
});

test('durations are in seconds, of the whole request', async () => {
  const LEAST_MS = 250;
  child = await startChild();
  const { url } = child;
  const begun = performance.now();
  const held = request(`${url}/slow`).on('error', () => undefined);
  held.end();
  await child.message(({ waiting }) => waiting === true);
  // The request is with the server by now, and lasts at least from here on.
  const arrived = performance.now();
  await waitFor(() => performance.now() - arrived >= LEAST_MS || undefined);
  held.destroy();
  const sum = () =>
    fetch(`${url}/metrics`)
      .then((answer) => answer.text())
      .then((text) =>
        samplesOf(text).get(
          'grantex_http_request_duration_seconds_sum{method="GET",route="/slow",status_code="499"}',
        ),
      );
  const seconds = await waitFor(sum);
  expect(seconds).toBeGreaterThanOrEqual(LEAST_MS / 1000);
  expect(seconds).toBeLessThanOrEqual((performance.now() - begun) / 1000);
});

test('spans: METHOD route, the parent of what is inside, and no secret of path, query or header', async () => {
  sink = await startSink();
  child = await startChild(exporting(sink));
  const { url } = child;
  const secret = 'secret-4711';
  const headers = { authorization: `Bearer ${secret}`, cookie: secret, 'x-api-key': secret };
  await fetch(`${url}/v1/consent/${secret}?req=${secret}`, { headers });
  await fetch(`${url}/unknown/${secret}?req=${secret}`, { headers });
  await fetch(`${url}/v1/token?code=${secret}`, { method: 'POST', body: secret, headers });
  await child.stop();
  const spans = sentSpans(sink);
  expect(spans.map(({ name }) => name).sort()).toEqual([
    'GET',
    'GET /v1/consent/:id',
    'POST /v1/token',
    'grantex.token.exchange',
  ]);
  const inner = spans.find(({ name }) => name === 'grantex.token.exchange');
  const outer = spans.find(({ name }) => name === 'POST /v1/token');
  expect(inner).toMatchObject({ traceId: outer?.traceId, parentSpanId: outer?.spanId });
  const consent = spans.find(({ name }) => name === 'GET /v1/consent/:id');
  expect(consent?.attributes).toMatchObject({
    'url.path': '/v1/consent/:id',
    'http.route': '/v1/consent/:id',
  });
  expect(Object.keys(spans.find(({ name }) => name === 'GET')?.attributes ?? {})).not.toContain('url.path');
  for (const { body } of sink.received) expect(body.toString()).not.toContain(secret);
  expect(await child.output()).not.toContain(secret);
});

test('a failure is an error of the span, a refusal is not', async () => {
  sink = await startSink();
  child = await startChild(exporting(sink));
  await fetch(`${child.url}/fail`);
  await fetch(`${child.url}/unknown`);
  await child.stop();
  const [failed, refused] = sentSpans(sink);
  expect(failed).toMatchObject({ name: 'GET /fail', status: { code: 2 } });
  expect(failed?.attributes).toMatchObject({ 'http.response.status_code': 500, 'error.type': '500' });
  expect(refused).toMatchObject({ name: 'GET', status: { code: 0 } });
  expect(refused?.attributes).toMatchObject({ 'http.response.status_code': 404 });
  expect(Object.keys(refused?.attributes ?? {})).not.toContain('error.type');
});

test('a method that is none of the usual ones is _OTHER, and the span has the original', async () => {
  sink = await startSink();
  child = await startChild(exporting(sink));
  const { url } = child;
  await fetch(url, { method: 'PROPFIND' });
  await fetch(url, { method: 'PUT' });
  expect(await counts(url)).toEqual([
    '{method="PUT",route="unmatched",status_code="404"} 1',
    '{method="_OTHER",route="unmatched",status_code="404"} 1',
  ]);
  await child.stop();
  const [other, usual] = sentSpans(sink).map(({ attributes }) => attributes);
  expect(other).toMatchObject({
    'http.request.method': '_OTHER',
    'http.request.method_original': 'PROPFIND',
  });
  expect(usual).toMatchObject({ 'http.request.method': 'PUT' });
  expect(Object.keys(usual ?? {})).not.toContain('http.request.method_original');
});

test('what any caller can write into headers is no address of the span', async () => {
  sink = await startSink();
  child = await startChild(exporting(sink));
  const claim = 'liar.example';
  const headers = {
    host: claim,
    forwarded: `for=${claim};host=${claim}`,
    'x-forwarded-for': claim,
    'x-forwarded-host': claim,
    'x-forwarded-proto': 'https',
  };
  await new Promise((resolve) => request(child?.url ?? '', { headers }, resolve).end());
  await child.stop();
  const [span] = sentSpans(sink);
  expect(span?.attributes).toMatchObject({ 'url.scheme': 'http', 'network.peer.address': '127.0.0.1' });
  expect(JSON.stringify(span)).not.toContain(claim);
});

describe('the trace context of a caller', () => {
  test.each([
    ['is ignored by default', {}, false],
    ['is followed with TRUST_TRACE_CONTEXT=true', { TRUST_TRACE_CONTEXT: 'true' }, true],
  ])('%s', async (_, env, trusted) => {
    sink = await startSink();
    child = await startChild({ ...exporting(sink), ...env });
    await fetch(`${child.url}/v1/consent/x`, { headers: TRACEPARENT });
    await child.stop();
    expect(sentSpans(sink).map(({ traceId }) => traceId === TRACE_ID)).toEqual([trusted]);
  });

  test('cannot force sampling', async () => {
    sink = await startSink();
    child = await startChild({ ...exporting(sink), OTEL_TRACES_SAMPLER: 'parentbased_always_off' });
    await fetch(`${child.url}/v1/consent/x`, { headers: TRACEPARENT });
    await child.stop();
    expect(sentSpans(sink)).toEqual([]);
  });
});
