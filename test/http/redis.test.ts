import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { openRedis } from '../../src/http/redis.ts';
import { inRequest } from '../../src/request-scope.ts';
import { startHarness } from '../telemetry/harness.ts';

test('a Redis that is not there is told once, and of no request', async () => {
  const harness = startHarness();
  const nobody = createServer().listen(0, '127.0.0.1');
  await once(nobody, 'listening');
  const { port } = nobody.address() as AddressInfo;
  nobody.close();
  await once(nobody, 'close');

  const config = loadConfig({ REDIS_URL: `redis://127.0.0.1:${port}` });
  const redis = await inRequest('req_1', () => openRedis(config, harness.telemetry));
  let attempts = 0;
  redis?.on('reconnecting', () => {
    attempts += 1;
  });
  await expect.poll(() => attempts).toBeGreaterThan(2);
  redis?.disconnect();
  expect(harness.lines().filter(({ msg }) => msg === 'redis.connection_error')).toEqual([
    {
      level: 'error',
      timestamp: expect.any(String),
      msg: 'redis.connection_error',
      error: 'ECONNREFUSED',
    },
  ]);
  await harness.stop();
});
