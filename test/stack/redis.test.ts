import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cable } from '../support/cable.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import type { TestService } from '../support/service.ts';
import { ask, calls, isShared, reached, signup, startLimited, watch } from './redis-limits.ts';

const DATABASE = 3;
let redis: RedisServer;
let database: TestDatabase;
const services: TestService[] = [];
let one: TestService;
let other: TestService;

async function start(url: string): Promise<TestService> {
  const service = await startLimited(url, database);
  services.push(service);
  return service;
}
beforeAll(async () => {
  redis = await startRedis();
  database = await createTestDatabase();
  const url = `redis://127.0.0.1:${redis.port}/${DATABASE}`;
  one = await start(url);
  other = await start(url);
  await Promise.all(services.map(reached));
});
afterAll(async () => {
  await Promise.all(services.map((service) => service.stop()));
  await redis?.kill();
  await database?.drop();
});

async function tell(line: string): Promise<void> {
  const [command = '', ...words] = line.split(' ');
  await redis.client.call(command, words);
}
async function signups(ip: string, ...replicas: readonly TestService[]): Promise<number[]> {
  const statuses = [];
  for (const service of replicas) statuses.push(await signup(service, ip));
  return statuses;
}

test('two replicas share one limit, in the database of the URL', async () => {
  const ip = '192.0.2.1';
  expect(await signups(ip, one, other, one, other, one)).toEqual([201, 201, 201, 429, 429]);
  await redis.client.select(DATABASE);
  expect(await redis.client.get(`grantex:signup:${ip}`)).toBe('5');
});

test('a Redis that was killed: each replica counts for itself; restarted: they share again', async () => {
  const ip = '192.0.2.2';
  expect(await signup(one, ip)).toBe(201);
  const watches = services.map((service) => watch(service));
  await redis.kill();
  for (const { lost } of watches) {
    const line = await lost();
    expect(line).toMatchObject({ level: 'error', error: 'ECONNREFUSED' });
    expect(line).not.toHaveProperty('requestId');
  }
  for (const service of services)
    expect(await signups(ip, service, service, service, service)).toEqual([201, 201, 201, 429]);

  redis = await startRedis({ port: redis.port });
  for (const { restored } of watches)
    expect(await restored()).toMatchObject({
      level: 'info',
      countedInMemory: 4,
      seconds: expect.any(Number),
    });
  expect(await signups(ip, one, other, one, other)).toEqual([201, 201, 201, 429]);
  expect(watches.map(({ lines }) => lines().length)).toEqual([2, 2]);
});

test('a Redis that hangs costs those under way their wait, nobody else, and is back when it goes on', async () => {
  const ip = '192.0.2.3';
  const { lines, lost, restored } = watch(one);
  const before = await calls(one);
  redis.process.kill('SIGSTOP');
  const underWay = await Promise.all(Array.from({ length: 64 }, () => ask(one, ip)));
  expect(await lost()).toMatchObject({ level: 'error', error: 'ETIMEDOUT' });
  const after = [];
  for (let call = 0; call < 200; call++) after.push(await ask(one, ip));
  // The limit still holds: neither are all refused, nor all allowed.
  expect([...underWay, ...after].filter(({ status }) => status === 404)).toHaveLength(100);
  // The 200 requests caused no calls to Redis. Only one probe a second did.
  const now = await calls(one);
  expect(now.ok).toBe(before.ok);
  expect(now.timeout - before.timeout).toBeGreaterThanOrEqual(3);
  expect(now.error - before.error + now.timeout - before.timeout).toBeLessThan(164);

  redis.process.kill('SIGCONT');
  expect(await restored()).toMatchObject({
    level: 'info',
    countedInMemory: 264,
    seconds: expect.any(Number),
  });
  // Redis itself received none of the 200 after it continued.
  await redis.client.select(DATABASE);
  expect(Number(await redis.client.get(`grantex:consent:${ip}`))).toBeLessThanOrEqual(64);
  await isShared(one, other, '192.0.2.4');
  expect(lines()).toHaveLength(2);
});

test('a connection that the network has swallowed, or refuses, is given up for another one', async () => {
  const ip = '192.0.2.5';
  const cable = new Cable(redis.port);
  try {
    const far = await start(`redis://127.0.0.1:${await cable.open()}?db=${DATABASE}`);
    await reached(far);
    const swallowed = watch(far);
    await cable.set('swallowing');
    await cable.set('through');
    // The service notices after three failed calls.
    await Promise.all([ask(far, ip), ask(far, ip), ask(far, ip)]);
    expect(await swallowed.lost()).toMatchObject({ error: 'ETIMEDOUT' });
    await swallowed.restored();
    await isShared(far, one, ip);

    const refused = watch(far);
    await cable.set('refusing');
    expect(await refused.lost()).toMatchObject({ error: 'ECONNREFUSED' });
    await cable.set('through');
    await refused.restored();
    await isShared(far, one, ip);
  } finally {
    await cable.close();
  }
});

test.for([
  // Redis refuses writes, like a primary that became a replica.
  ['READONLY', 'replicaof 127.0.0.1 1', 'replicaof no one'],
  ['OOM', 'config set maxmemory 1', 'config set maxmemory 0'],
] as const)(
  'a Redis that answers with %s is away like one that does not answer',
  async ([code, spoil, mend]) => {
    const ip = `192.0.2.${code.length}0`;
    const { lines, lost, restored } = watch(one);
    await tell(spoil);
    await Promise.all([ask(one, ip), ask(one, ip), ask(one, ip)]);
    expect(await lost()).toMatchObject({ error: code });
    const before = await calls(one);
    expect((await ask(one, ip)).headers.get('x-ratelimit-remaining')).toBe('96');
    expect((await calls(one)).ok).toBe(before.ok);
    await tell(mend);
    expect(await restored()).toMatchObject({ countedInMemory: 4 });
    await isShared(one, other, ip);
    expect(lines()).toHaveLength(2);
  },
);

test('a Redis that hangs holds up neither the start nor the end of the service', async () => {
  redis.process.kill('SIGSTOP');
  const service = await startLimited(`redis://127.0.0.1:${redis.port}`, database);
  expect((await ask(service, '192.0.2.6')).status).toBe(404);
  expect(await watch(service, 0).lost()).toMatchObject({ error: 'ETIMEDOUT' });
  expect(await service.stop()).toBe(0);
  redis.process.kill('SIGCONT');
});

test('a database that does not exist, and a wrong password, are told as what they are', async () => {
  for (const [url, error] of [
    [`redis://127.0.0.1:${redis.port}/999`, 'ERR'],
    [`redis://me:hunter2@127.0.0.1:${redis.port}`, 'WRONGPASS'],
  ] as const) {
    const service = await start(url);
    expect(await watch(service, 0).lost()).toMatchObject({ error });
    expect((await ask(service, '192.0.2.7')).headers.get('x-ratelimit-remaining')).toBe('99');
    expect(service.stdout.join('')).not.toContain('hunter2');
  }
});
