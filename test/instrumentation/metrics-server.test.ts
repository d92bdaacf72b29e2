import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { MAX_SCRAPERS, startMetricsServer } from '../../instrumentation/metrics-server.ts';
import type { ScrapeHandler } from '../../instrumentation/scrape.ts';
import { exchange } from '../contract/raw.ts';

const start = (handler: ScrapeHandler) => startMetricsServer(handler, { host: '127.0.0.1', port: 0 });

test('it has /metrics and nothing else, and is gone after its end', async () => {
  const server = await start((_request, response) => void response.end('metrics'));
  const base = `http://127.0.0.1:${server.port}`;
  const statuses = await Promise.all(
    ['/metrics', '/metrics?x=1', '/', '/metricsx'].map(async (path) => (await fetch(base + path)).status),
  );
  expect(statuses).toEqual([200, 200, 404, 404]);
  const bytes = 'GET http://x/metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
  const { answers } = await exchange(base, bytes, 'read to the end');
  expect(answers.map(({ status, body }) => [status, body])).toEqual([[200, 'metrics']]);
  await server.close(0);
  await expect(fetch(base)).rejects.toThrow();
});

test('a caller that never asks for anything does not hold up the end', async () => {
  const server = await start((_request, response) => void response.end('metrics'));
  const silent = connect(server.port, '127.0.0.1');
  onTestFinished(() => void silent.destroy());
  silent.on('error', () => undefined);
  const cut = once(silent, 'close');
  await once(silent, 'connect');
  // The server has taken that connection, too, once it has answered on a later one.
  await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text();
  await server.close(0);
  await cut;
});

test('a scrape under way ends before the server does', async () => {
  const asked = Promise.withResolvers<() => void>();
  const server = await start((_request, response) => asked.resolve(() => void response.end('metrics')));
  const scraped = fetch(`http://127.0.0.1:${server.port}/metrics`).then((response) => response.text());
  const answer = await asked.promise;
  const closed = server.close(10_000);
  answer();
  expect(await scraped).toBe('metrics');
  await closed;
});

test('beyond the most connections at once further ones are closed; those that never ask leave their places', async () => {
  const server = await startMetricsServer((_request, response) => void response.end('metrics'), {
    host: '127.0.0.1',
    port: 0,
    // Long enough for all of them to connect.
    headersMs: 2_000,
  });
  const sockets = Array.from({ length: MAX_SCRAPERS + 20 }, () => connect(server.port, '127.0.0.1'));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  let closed = 0;
  const ends = sockets.map((socket) => {
    socket.on('error', () => undefined).resume();
    return once(socket, 'close').then(() => (closed += 1));
  });
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  await expect(fetch(`http://127.0.0.1:${server.port}/metrics`)).rejects.toThrow();
  await expect.poll(() => closed).toBeGreaterThanOrEqual(20);
  await Promise.all(ends);
  expect(await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text()).toBe('metrics');
  await server.close(0);
});

test('an address that is taken is an error', async () => {
  const server = await start(() => undefined);
  const taken = { host: '127.0.0.1', port: server.port };
  await expect(startMetricsServer(() => undefined, taken)).rejects.toThrow('EADDRINUSE');
  await server.close(0);
});
