import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exchange } from '../contract/raw.ts';
import { sentSpans } from '../instrumentation/child.ts';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';
import { startTracedService } from '../telemetry/traced-service.ts';

let service: TestService;
let party: Party;
beforeAll(async () => {
  service = await startService();
  party = await newParty(service);
});
afterAll(() => service.stop());

const HTTP = 'grantex_http_request_duration_seconds_count';
const counted = async (labels: Record<string, string>) => (await service.scrape()).value(HTTP, labels) ?? 0;
const request = (line: string, ...headers: string[]) =>
  [`${line} HTTP/1.1`, 'Host: x', `Authorization: Bearer ${party.key}`, ...headers, '', ''].join('\r\n');

test('a CONNECT behind requests is refused after their answers, and they are counted as what they were', async () => {
  const me = { method: 'GET', route: '/v1/me', status_code: '200' };
  const before = await counted(me);
  const bytes = `${request('GET /v1/me')}${request('GET /v1/me')}CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n`;
  const { answers } = await exchange(service.url, bytes, 'end behind');
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 400]);
  expect(JSON.parse(answers[2]?.body ?? '')).toMatchObject({
    code: 'BAD_REQUEST',
    message: 'This is not a proxy',
  });
  await expect.poll(() => counted(me)).toBe(before + 2);
});

test.each(['at once', 'with the first answer'])(
  'callers of CONNECT who reset their connection %s harm nobody',
  async (when) => {
    const { hostname, port } = new URL(service.url);
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const socket = connect(Number(port), hostname);
        await once(socket, 'connect');
        socket.write(`${request('GET /v1/me')}CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n`);
        if (when !== 'at once') await once(socket, 'data');
        socket.resetAndDestroy();
        await once(socket, 'close');
      }),
    );
    expect((await service.request('GET', '/v1/me', { key: party.key })).status).toBe(200);
    expect(service.process.exitCode).toBe(null);
  },
);

const half = (...headers: string[]) =>
  request('POST /v1/token', 'X-Request-Id: mine', 'Content-Type: application/json', ...headers);
const exchanged = (status_code: string) => ({ method: 'POST', route: '/v1/token', status_code });

test('a body that is no HTTP: 400 with the id that was given, and counted as 400', async () => {
  const { answers } = await exchange(
    service.url,
    `${half('Transfer-Encoding: chunked')}zz\r\n`,
    'read to the end',
  );
  expect(answers).toHaveLength(1);
  expect(answers[0]).toMatchObject({
    status: 400,
    headers: { 'x-request-id': 'mine', connection: 'close' },
  });
  expect(JSON.parse(answers[0]?.body ?? '')).toEqual({
    message: 'The request is not valid HTTP',
    code: 'BAD_REQUEST',
    requestId: 'mine',
  });
  await expect.poll(() => counted(exchanged('400'))).toBe(1);
  expect(await counted(exchanged('499'))).toBe(0);
});

test('a caller that ends in the middle of its body has left: no answer, and counted as 499', async () => {
  const { answers } = await exchange(service.url, `${half('Content-Length: 100')}{"code":`, 'end behind');
  expect(answers).toEqual([]);
  await expect.poll(() => counted(exchanged('499'))).toBe(1);
  expect(await counted(exchanged('400'))).toBe(1);
});

test('a scrape by an absolute target is a scrape, and is not measured', async () => {
  const bytes = 'GET http://x/metrics?a=b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
  const { answers } = await exchange(service.url, bytes, 'read to the end');
  expect(answers[0]?.status).toBe(200);
  expect(answers[0]?.body).toContain('# TYPE grantex_active_grants gauge');
  const routes = (await service.scrape()).labelSets(HTTP).map(({ route }) => route);
  expect(routes).toContain('/v1/me');
  expect(routes).not.toContain('unmatched');
});

test('rubbish behind requests takes the place of none of their answers', async () => {
  const bytes = `${request('GET /v1/me').repeat(3)}rubbish\r\n\r\n`;
  const { answers } = await exchange(service.url, bytes, 'read to the end');
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
});

test('requests that the end of the service cuts off end in order: counted, told of in a span, and no error of ours', async () => {
  const {
    service: own,
    sink,
    stop,
  } = await startTracedService({
    OTEL_METRICS_EXPORTER: 'otlp',
    SHUTDOWN_TIMEOUT_MS: '2000',
  });
  const { apiKey } = await own.signup();
  const head = request(
    'POST /v1/token',
    'Content-Type: application/json',
    'Content-Length: 100',
    'X-Request-Id: cut',
  );
  const cut = exchange(own.url, head.replace(party.key, apiKey), 'ask after').catch(() => undefined);
  await waitFor(async () => ((await own.scrape()).text.includes('route="/v1/signup"') ? true : undefined));
  await stop();
  await cut;
  expect(own.process.exitCode).toBe(0);
  expect(own.logs.filter(({ level }) => level === 'error')).toEqual([]);
  const span = sentSpans(sink).find(({ name }) => name === 'POST /v1/token');
  expect(Number(span?.attributes['http.response.status_code'])).toBe(499);
  const last = sink.received.findLast(({ path }) => path === '/v1/metrics')?.body.toString() ?? '{}';
  const points = JSON.parse(last)
    .resourceMetrics.flatMap(({ scopeMetrics }: { scopeMetrics: object[] }) => scopeMetrics)
    .flatMap(({ metrics }: { metrics: object[] }) => metrics)
    .filter(({ name }: { name: string }) => name === 'grantex_http_request_duration_seconds')
    .flatMap(({ histogram }: { histogram: { dataPoints: object[] } }) => histogram.dataPoints);
  expect(JSON.stringify(points)).toContain('"/v1/token"');
});
