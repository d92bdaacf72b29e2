import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { openRedis, type SharedStore } from '../../src/http/redis.ts';
import { inRequest } from '../../src/request-scope.ts';
import { waitFor } from '../support/service.ts';
import { startHarness } from '../telemetry/harness.ts';

let harness: ReturnType<typeof startHarness>;
let server: Server | undefined;
let connections: Socket[];
let store: SharedStore | null = null;
beforeEach(() => {
  harness = startHarness();
  connections = [];
});
afterEach(async () => {
  store?.close();
  for (const connection of connections) connection.destroy();
  server?.close();
  server = undefined;
  await harness.stop();
});

async function listen(onConnection: (socket: Socket) => void): Promise<number> {
  server = createServer((socket) => {
    connections.push(socket.on('error', () => socket.destroy()));
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
async function open(url: string): Promise<SharedStore> {
  store = await inRequest('req_1', () => openRedis(loadConfig({ REDIS_URL: url }), harness.telemetry));
  if (!store) throw new Error('there is no store');
  return store;
}
const told = () => harness.lines().filter(({ msg }) => msg !== 'rate_limits.store');
const lost = (error: string) => ({
  level: 'error',
  timestamp: expect.any(String),
  msg: 'redis.connection_error',
  error,
});
const failedProbes = async (outcome: string) =>
  (await harness.samples()).get(`redis_client_operation_duration_seconds_count{outcome="${outcome}"}`);

test('a Redis that is not there is told once, and of no request; probes go on', async () => {
  const port = await listen(() => undefined);
  server?.close();
  const { client } = await open(`redis://127.0.0.1:${port}`);
  let attempts = 0;
  client.on('reconnecting', () => {
    attempts += 1;
  });
  await waitFor(() => attempts > 2 || undefined);
  await waitFor(async () => ((await failedProbes('error')) ?? 0) >= 2 || undefined);
  expect(told()).toEqual([lost('ECONNREFUSED')]);
});

test('a Redis that accepts and says nothing holds up neither the start nor a request nor the end', async () => {
  const port = await listen(() => undefined);
  const { ask, close, client } = await open(`redis://127.0.0.1:${port}`);
  let asked = 0;
  const requests = Array.from({ length: 64 }, () => ask(async () => ++asked));
  expect([new Set(await Promise.all(requests)), asked]).toEqual([new Set([undefined]), 0]);
  // It tries again, for it may be the connection alone.
  await waitFor(() => connections.length > 1 || undefined, 10_000);
  expect(told()).toEqual([lost('ETIMEDOUT')]);
  const ended = once(client, 'end');
  close();
  await ended;
  expect(told()).toHaveLength(1);
});

test('one that ends every connection without a word is told, too', async () => {
  const port = await listen((socket) => void socket.end());
  await open(`redis://127.0.0.1:${port}`);
  await waitFor(() => told().length > 0 || undefined);
  expect(told()).toEqual([lost('CONNECTION_CLOSED')]);
});

test('Sentinels that cannot be reached are told once', async () => {
  const port = await listen(() => undefined);
  server?.close();
  const { close, client } = await open(`redis-sentinel://127.0.0.1:${port},127.0.0.1:${port}/main`);
  await waitFor(async () => ((await failedProbes('error')) ?? 0) >= 2 || undefined);
  expect(told()).toEqual([lost('SENTINELS_UNREACHABLE')]);
  const ended = once(client, 'end');
  close();
  await ended;
  expect(told()).toHaveLength(1);
});

test('without REDIS_URL, or without limits, there is no client', async () => {
  expect(await openRedis(loadConfig({}), harness.telemetry)).toBeNull();
  expect(harness.lines()).toEqual([expect.objectContaining({ msg: 'rate_limits.store', store: 'memory' })]);
  const off = loadConfig({ RATE_LIMIT_ENABLED: 'false', REDIS_URL: 'redis://127.0.0.1:1' });
  expect(await openRedis(off, harness.telemetry)).toBeNull();
});
