import { expect, test } from 'vitest';
import { createTestDatabase } from '../support/database.ts';
import { startSentinels } from '../support/redis.ts';
import { startService } from '../support/service.ts';
import { ask, calls, isShared, reached } from './redis-limits.ts';

test('the primary is killed, and a Sentinel hangs: two replicas share their limits on the new primary', async () => {
  await using undo = new AsyncDisposableStack();
  const { primary, replica, sentinels, stop } = await startSentinels('main', 'hunter2');
  undo.defer(async () => void (await stop()));
  const database = await createTestDatabase();
  undo.defer(() => database.drop());
  const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join();
  const env = {
    REDIS_URL: `redis-sentinel://:hunter2@${hosts}/main?db=1`,
    RATE_LIMIT_ENABLED: 'true',
    RATE_LIMITS: 'consent=1000/3600',
  };
  const services = await Promise.all([startService({ env, database }), startService({ env, database })]);
  undo.defer(async () => void (await Promise.all(services.map((service) => service.stop()))));
  const [one, other] = services;
  await Promise.all(services.map(reached));
  await isShared(one, other);

  sentinels[0]?.process.kill('SIGSTOP');
  await primary.kill();
  for (const service of services) {
    const [lost] = await service.logged('redis.connection_error');
    expect(lost).toMatchObject({ level: 'error', error: 'ECONNREFUSED' });
    expect((await ask(service)).status).toBe(404);
  }
  for (const service of services) await service.logged('redis.connection_restored');
  await isShared(one, other);
  await replica.client.select(1);
  expect(await replica.client.role()).toContain('master');
  expect(await replica.client.keys('grantex:consent:*')).toHaveLength(1);
  expect((await calls(one)).error).toBeGreaterThan(0);
}, 120_000);
