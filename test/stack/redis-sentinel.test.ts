import { expect, test } from 'vitest';
import { createTestDatabase } from '../support/database.ts';
import { startSentinels } from '../support/redis.ts';
import { ask, calls, isShared, reached, startLimited, watch } from './redis-limits.ts';

const IP = '192.0.2.1';

test('the primary is killed, and a Sentinel hangs: two replicas share their limits on the new primary', async () => {
  await using undo = new AsyncDisposableStack();
  const { primary, replica, sentinels, stop } = await startSentinels('main', 'hunter2');
  undo.defer(async () => void (await stop()));
  const database = await createTestDatabase();
  undo.defer(() => database.drop());
  const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join();
  const url = `redis-sentinel://:hunter2@${hosts}/main?db=1`;
  const one = await startLimited(url, database);
  undo.defer(async () => void (await one.stop()));
  const other = await startLimited(url, database);
  undo.defer(async () => void (await other.stop()));
  const services = [one, other];
  await Promise.all(services.map(reached));
  await isShared(one, other, IP);

  const watches = services.map((service) => watch(service));
  sentinels[0]?.process.kill('SIGSTOP');
  await primary.kill();
  for (const { lost } of watches)
    expect(await lost()).toMatchObject({ level: 'error', error: 'ECONNREFUSED' });
  for (const service of services) expect((await ask(service, IP)).status).toBe(404);
  for (const { restored } of watches) await restored();
  await isShared(one, other, IP);
  await replica.client.select(1);
  expect(await replica.client.role()).toContain('master');
  expect(await replica.client.keys('grantex:consent:*')).toHaveLength(1);
  expect((await calls(one)).error).toBeGreaterThan(0);
});
