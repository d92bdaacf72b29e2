import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';

let redis: ChildProcess;
let url: string;
let database: TestDatabase;
let services: TestService[];

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

beforeEach(async () => {
  const port = await freePort();
  redis = spawn(
    'redis-server',
    ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
    {
      stdio: 'ignore',
    },
  );
  url = `redis://127.0.0.1:${port}`;
  const client = new Redis(url, { retryStrategy: () => 20, maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  await client.ping();
  database = await createTestDatabase();
  const env = { REDIS_URL: url, RATE_LIMIT_ENABLED: 'true', RATE_LIMITS: 'signup=3/3600' };
  services = await Promise.all([startService({ env, database }), startService({ env, database })]);
  // They serve before they have reached it, and count for themselves until then.
  const connected = async () =>
    String(await client.client('LIST'))
      .trim()
      .split('\n').length;
  await waitFor(async () => (await connected()) === 1 + services.length || undefined);
  client.disconnect();
});
afterEach(async () => {
  await Promise.all(services.map((service) => service.stop()));
  redis.kill('SIGKILL');
  await database.drop();
});

const signup = (service: TestService | undefined) =>
  service?.request('POST', '/v1/signup', { body: { name: 'Acme' } });

test('two replicas share one limit', async () => {
  const [one, other] = services;
  const statuses = [];
  for (const service of [one, other, one, other, one]) statuses.push((await signup(service))?.status);
  expect(statuses).toEqual([201, 201, 201, 429, 429]);
});

test('without Redis each replica goes on counting for itself', async () => {
  const [one, other] = services;
  expect((await signup(one))?.headers.get('x-ratelimit-remaining')).toBe('2');
  redis.kill('SIGKILL');
  await once(redis, 'exit');
  const lines = await waitFor(() => one?.logs.find(({ msg }) => msg === 'redis.connection_error'));
  expect(lines).toMatchObject({ level: 'error', error: expect.stringMatching(/\S/) });
  // Not of the one that was asked before: what it could not ask Redis in time, it has counted itself already.
  const statuses = [];
  for (let call = 0; call < 4; call++) statuses.push((await signup(other))?.status);
  expect(statuses).toEqual([201, 201, 201, 429]);
  expect((await signup(one))?.status).toBe(201);
});
