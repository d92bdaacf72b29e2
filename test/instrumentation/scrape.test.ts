import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createScrape, type ScrapeOptions } from '../../instrumentation/scrape.ts';
import { startHarness } from '../telemetry/harness.ts';

let harness: ReturnType<typeof startHarness>;
let server: Server | undefined;
afterEach(async () => {
  server?.close();
  server = undefined;
  await harness.stop();
});

/** A real server with the scrape handler on the real SDK. */
async function serve(options: Partial<ScrapeOptions> = {}) {
  harness = startHarness();
  const errors: unknown[] = [];
  const scrape = createScrape({
    reader: harness.reader,
    exposition: harness.exposition,
    apiKey: null,
    onError: (error) => errors.push(error),
    deadlineMs: 500,
    callbackMs: 200,
    ...options,
  });
  const listening = createServer(scrape.handler).listen(0, '127.0.0.1');
  server = listening;
  await once(listening, 'listening');
  const url = `http://127.0.0.1:${(listening.address() as AddressInfo).port}/metrics`;
  return { url, errors, scrape };
}

test('a scrape is Prometheus text 0.0.4 with its length, and not to be cached', async () => {
  const { url } = await serve();
  const response = await fetch(url, { headers: { 'accept-encoding': 'identity' } });
  const text = await response.text();
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(response.headers.get('content-length')).toBe(String(Buffer.byteLength(text)));
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(text).toContain('grantex_authorize_total{status="success"} 0\n');
  expect(text).not.toContain('otel_scope');
});

test('OpenMetrics is for those who ask for it, and gzip for those who can read it', async () => {
  const { url } = await serve();
  const ask = async (headers: Record<string, string>) => {
    const response = await fetch(url, { headers });
    return { headers: response.headers, text: await response.text() };
  };
  const plain = await ask({ 'accept-encoding': 'identity' });
  expect(plain.headers.get('content-encoding')).toBeNull();
  expect(plain.headers.get('vary')).toBe('Accept, Accept-Encoding');
  const zipped = await ask({ 'accept-encoding': 'gzip' });
  expect(zipped.headers.get('content-encoding')).toBe('gzip');
  expect(Number(zipped.headers.get('content-length'))).toBeLessThan(plain.text.length / 3);
  expect(zipped.text).toBe(plain.text);
  const open = await ask({ accept: 'application/openmetrics-text;version=1.0.0', 'accept-encoding': 'gzip' });
  expect(open.headers.get('content-type')).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
  expect(open.text).toMatch(/^# HELP target Target metadata\n(?:.*\n)+# EOF\n$/);
});

test('scrapes of different formats share one collection', async () => {
  const { url } = await serve();
  let calls = 0;
  const held = Promise.withResolvers<void>();
  harness.meter.createObservableGauge('held').addCallback(async (result) => {
    calls += 1;
    await held.promise;
    result.observe(calls);
  });
  let arrived = 0;
  const all = Promise.withResolvers<void>();
  (server as Server).on('request', () => {
    arrived += 1;
    if (arrived === 3) all.resolve();
  });
  const accepts = ['text/plain', 'application/openmetrics-text', 'text/plain'];
  const answers = accepts.map((accept) =>
    fetch(url, { headers: { accept } }).then((answer) => answer.text()),
  );
  await all.promise;
  held.resolve();
  for (const text of await Promise.all(answers)) expect(text).toContain('\nheld 1\n');
});

test('HEAD has the headers alone; other methods are 405', async () => {
  const { url } = await serve();
  const head = await fetch(url, { method: 'HEAD' });
  expect([head.status, await head.text()]).toEqual([200, '']);
  const post = await fetch(url, { method: 'POST' });
  expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
});

describe('with METRICS_API_KEY', () => {
  test.each([
    ['none', undefined, 401],
    ['another', 'Bearer wrong', 401],
    ['a longer one', 'Bearer the-key-and-more', 401],
    ['another scheme', 'Basic the-key', 401],
    ['the key', 'Bearer the-key', 200],
    ['the key, scheme in small letters', 'bearer the-key', 200],
  ])('%s is answered %s', async (_, authorization, status) => {
    const { url } = await serve({ apiKey: 'the-key' });
    const response = await fetch(url, { headers: authorization ? { authorization } : {} });
    expect(response.status).toBe(status);
    if (status === 401) expect(response.headers.get('www-authenticate')).toBe('Bearer');
  });
});

test('concurrent scrapes run every callback once, the next scrape again', async () => {
  const { url } = await serve();
  let calls = 0;
  const held = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  harness.meter.createObservableGauge('held').addCallback(async (result) => {
    calls += 1;
    started.resolve();
    await held.promise;
    result.observe(1);
  });
  let arrived = 0;
  const all = Promise.withResolvers<void>();
  (server as Server).on('request', () => {
    arrived += 1;
    if (arrived === 3) all.resolve();
  });
  const first = fetch(url);
  await started.promise;
  const more = [fetch(url, { method: 'HEAD' }), fetch(url)];
  await all.promise;
  held.resolve();
  const responses = await Promise.all([first, ...more]);
  expect(responses.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(calls).toBe(1);
  await fetch(url);
  expect(calls).toBe(2);
});

test('scrapes that arrive together share one collection, although nothing in it waits', async () => {
  const { url } = await serve();
  let calls = 0;
  harness.meter.createObservableGauge('collections').addCallback((result) => {
    calls += 1;
    result.observe(calls);
  });
  const { hostname, port } = new URL(url);
  const sockets: Socket[] = [];
  for (let n = 0; n < 20; n++) {
    const accepted = once(server as Server, 'connection');
    sockets.push(connect(Number(port), hostname));
    await accepted;
  }
  const answers = Promise.all(sockets.map((socket) => once(socket, 'data')));
  for (const socket of sockets) socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
  for (const [chunk] of await answers) expect(String(chunk)).toMatch(/^HTTP\/1\.1 200 /);
  for (const socket of sockets) socket.destroy();
  expect(calls).toBe(1);
});

test('a callback that hangs leaves out its own family, in time, and is counted', async () => {
  const { url, errors } = await serve();
  harness.meter.createObservableGauge('hanging').addCallback(() => new Promise(() => undefined));
  const response = await fetch(url);
  const text = await response.text();
  // Once the scrape's own deadline is over, the answer is 503.
  expect(response.status).toBe(200);
  expect(text).toContain('grantex_authorize_total');
  expect(text).not.toContain('hanging');
  expect(errors).toHaveLength(1);
});

test('a collection that hangs: the last exposition, or 503 when there is none yet', async () => {
  const hanging = { collect: () => new Promise<never>(() => undefined) };
  const { url } = await serve({ reader: hanging });
  expect((await fetch(url)).status).toBe(503);
  let hang = false;
  server?.close();
  await harness.stop();
  const again = await serve({
    reader: { collect: (options) => (hang ? hanging.collect() : harness.reader.collect(options)) },
  });
  const text = await (await fetch(again.url)).text();
  hang = true;
  const late = await fetch(again.url);
  expect([late.status, await late.text()]).toEqual([200, text]);
});

test('the last exposition is not told when it is older than 30 s', async () => {
  let hang = false;
  let now = 0;
  const { url } = await serve({
    now: () => now,
    reader: {
      collect: (options) => (hang ? new Promise<never>(() => undefined) : harness.reader.collect(options)),
    },
  });
  expect((await fetch(url)).status).toBe(200);
  hang = true;
  now = 30_000;
  expect((await fetch(url)).status).toBe(200);
  now = 30_001;
  expect((await fetch(url)).status).toBe(503);
});

test('a failure to write is a finished 500 that says nothing, and is counted', async () => {
  const { url, errors } = await serve({ reader: { collect: () => Promise.reject(new Error('secret')) } });
  const response = await fetch(url);
  expect([response.status, await response.text()]).toEqual([500, 'metrics could not be written\n']);
  expect(errors).toHaveLength(1);
});

test('a client that asks and never reads is cut off, and others are answered meanwhile', async () => {
  const { url } = await serve({ stalledMs: 200 });
  const attempts = harness.telemetry.attempts;
  for (let n = 0; n < 500; n++) attempts.start('authorize')({ status: 201, agentId: `ag_${n}` });
  const ended = once(server as Server, 'connection').then(([socket]) => once(socket as Socket, 'close'));
  const deaf = connect(Number(new URL(url).port), '127.0.0.1').pause();
  deaf.on('error', () => undefined);
  // More than the kernel takes for a client that does not.
  deaf.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(100));
  expect((await fetch(url)).status).toBe(200);
  await ended;
  expect((await fetch(url)).status).toBe(200);
  deaf.destroy();
});

test('after the end it is 503, never a 200 without series', async () => {
  const { url, scrape } = await serve();
  expect((await fetch(url)).status).toBe(200);
  scrape.close();
  expect((await fetch(url)).status).toBe(503);
});
