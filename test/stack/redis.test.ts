import { afterEach, beforeEach, expect, test } from 'vitest';
import { Cable } from '../support/cable.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';
import { ask, calls, isShared, reached } from './redis-limits.ts';

let redis: RedisServer;
let database: TestDatabase;
let services: TestService[];
let one: TestService;
let other: TestService;

async function start(url: string, limits: string): Promise<void> {
  const env = { REDIS_URL: url, RATE_LIMIT_ENABLED: 'true', RATE_LIMITS: limits };
  services = await Promise.all([startService({ env, database }), startService({ env, database })]);
  [one, other] = services as [TestService, TestService];
  await Promise.all(services.map(reached));
}

beforeEach(async () => {
  services = [];
  redis = await startRedis();
  database = await createTestDatabase();
});
afterEach(async () => {
  await Promise.all(services.map((service) => service.stop()));
  await redis.kill();
  await database.drop();
});

const signup = async (service: TestService) =>
  (await service.request('POST', '/v1/signup', { body: { name: 'Acme' } })).status;

test('two replicas share one limit', async () => {
  await start(`redis://127.0.0.1:${redis.port}/3`, 'signup=3/3600');
  const statuses = [];
  for (const service of [one, other, one, other, one]) statuses.push(await signup(service));
  expect(statuses).toEqual([201, 201, 201, 429, 429]);
  await redis.client.select(3);
  expect(await redis.client.keys('grantex:signup:*')).toHaveLength(1);
});

test('a Redis that was killed: each replica counts for itself; restarted: they share again', async () => {
  await start(`redis://127.0.0.1:${redis.port}`, 'signup=3/3600');
  expect(await signup(one)).toBe(201);
  await redis.kill();
  const [lost] = await one.logged('redis.connection_error');
  expect(lost).toMatchObject({ level: 'error', error: 'ECONNREFUSED' });
  expect(lost).not.toHaveProperty('requestId');
  await other.logged('redis.connection_error');
  for (const service of services) {
    const statuses = [];
    for (let call = 0; call < 4; call++) statuses.push(await signup(service));
    expect(statuses).toEqual([201, 201, 201, 429]);
  }

  redis = await startRedis({ port: redis.port });
  for (const service of services) {
    const [restored] = await service.logged('redis.connection_restored');
    expect(restored).toMatchObject({ level: 'info', countedInMemory: 4, seconds: expect.any(Number) });
  }
  const statuses = [];
  for (const service of [one, other, one, other]) statuses.push(await signup(service));
  expect(statuses).toEqual([201, 201, 201, 429]);
  expect(one.logs.filter(({ msg }) => msg === 'redis.connection_error')).toHaveLength(1);
});

test('a Redis that hangs costs those under way their wait, nobody else, and is back when it goes on', async () => {
  await start(`redis://127.0.0.1:${redis.port}`, 'consent=100/3600');
  await ask(one);
  const before = await calls(one);
  redis.process.kill('SIGSTOP');
  const underWay = await Promise.all(Array.from({ length: 64 }, () => ask(one)));
  expect(await one.logged('redis.connection_error')).toEqual([
    expect.objectContaining({ level: 'error', error: 'ETIMEDOUT' }),
  ]);
  const after = [];
  for (let call = 0; call < 200; call++) after.push(await ask(one));
  // Neither everybody is refused nor is everybody let through.
  const allowed = [...underWay, ...after].filter(({ status }) => status === 404);
  expect(allowed).toHaveLength(100);
  // Those 200 were not among the calls; probes were, one a second.
  const now = await calls(one);
  expect(now.ok).toBe(before.ok);
  expect(now.timeout).toBeGreaterThan(2);
  expect(now.error + now.timeout).toBeLessThan(164);

  redis.process.kill('SIGCONT');
  expect(await one.logged('redis.connection_restored')).toEqual([
    expect.objectContaining({ level: 'info', countedInMemory: 264, seconds: expect.any(Number) }),
  ]);
  await isShared(one, other);
  // What Redis itself was asked for that key: nothing of the 200.
  const [key = ''] = await redis.client.keys('grantex:consent:*');
  expect(Number(await redis.client.get(key))).toBeLessThan(100);
});

test('a connection that the network has swallowed, or reset, is given up for another one', async () => {
  const cable = new Cable(redis.port);
  try {
    await start(`redis://127.0.0.1:${await cable.open()}`, 'consent=1000/3600');
    await cable.set('swallowing');
    await cable.set('through');
    // Three calls in vain are needed to notice.
    await Promise.all(services.flatMap((service) => [ask(service), ask(service), ask(service)]));
    for (const service of services) {
      const [lost] = await service.logged('redis.connection_error');
      expect(lost).toMatchObject({ error: 'ETIMEDOUT' });
      await service.logged('redis.connection_restored');
    }
    await isShared(one, other);

    await cable.set('refusing');
    await waitFor(
      () => one.logs.filter(({ msg }) => msg === 'redis.connection_error').length === 2 || undefined,
    );
    await cable.set('through');
    await Promise.all(services.map((service) => service.logged('redis.connection_restored', 2)));
    await isShared(one, other);
  } finally {
    await cable.close();
  }
});

test('a Redis that hangs holds up neither the start nor the end of the service', async () => {
  redis.process.kill('SIGSTOP');
  const env = { REDIS_URL: `redis://127.0.0.1:${redis.port}`, RATE_LIMIT_ENABLED: 'true' };
  const service = await startService({ env, database });
  services.push(service);
  expect((await ask(service)).status).toBe(404);
  await service.logged('redis.connection_error');
  expect(await service.stop()).toBe(0);
});
