import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Authority } from '../support/certificates.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { type TestService, temporaryDirectory } from '../support/service.ts';
import { ask, calls, isShared, reached, startLimited, watch } from './redis-limits.ts';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let caFile: string;
let database: TestDatabase;
let redis: RedisServer;
let sentinel: RedisServer;
const services: TestService[] = [];
beforeAll(async () => {
  directory = await temporaryDirectory();
  const authority = await Authority.create();
  const { cert, key } = await authority.server();
  const write = async (name: string, text: string) => {
    const path = join(directory.path, name);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  };
  caFile = await write('ca.pem', authority.cert);
  const client = { tls: { ca: authority.cert } };
  const config = [
    `tls-cert-file ${await write('server.pem', cert)}`,
    `tls-key-file ${await write('server.key', key)}`,
    `tls-ca-cert-file ${caFile}`,
    'tls-auth-clients no',
    'tls-replication yes',
  ];
  const user =
    'user limits on >hunter2 ~grantex:* +select +info +client +eval +evalsha +set +incrby +pttl +expire';
  redis = await startRedis({ config: [...config, user], client });
  sentinel = await startRedis({
    sentinel: true,
    config: [...config, `sentinel monitor main 127.0.0.1 ${redis.port} 1`],
    client,
  });
  database = await createTestDatabase();
});
afterAll(async () => {
  await Promise.all(services.map((service) => service.stop()));
  await Promise.all([redis?.kill(), sentinel?.kill()]);
  await database?.drop();
  await directory?.remove();
});

async function start(url: string, env: Record<string, string>): Promise<TestService> {
  const service = await startLimited(url, database, env);
  services.push(service);
  return service;
}

test('TLS by the name in the certificate and through Sentinel, with a private CA and a user of few rights', async () => {
  const ca = { NODE_EXTRA_CA_CERTS: caFile };
  const one = await start(`rediss://limits:hunter2@localhost:${redis.port}`, ca);
  const other = await start(`redis-sentinel://limits:hunter2@localhost:${sentinel.port}/main?tls=true`, ca);
  await Promise.all([one, other].map(reached));
  await isShared(one, other, '192.0.2.1');

  const { lost, restored } = watch(one);
  redis.process.kill('SIGSTOP');
  await Promise.all(Array.from({ length: 64 }, () => ask(one, '192.0.2.2')));
  expect(await lost()).toMatchObject({ error: 'ETIMEDOUT' });
  redis.process.kill('SIGCONT');
  expect(await restored()).toMatchObject({ countedInMemory: 64 });
  await isShared(one, other, '192.0.2.1');
});

test('a certificate of an unknown CA: the limits are counted in memory, and the line says why', async () => {
  const service = await start(`rediss://limits:hunter2@localhost:${redis.port}`, {});
  expect(await watch(service, 0).lost()).toMatchObject({ error: 'SELF_SIGNED_CERT_IN_CHAIN' });
  const { status, headers } = await ask(service, '192.0.2.3');
  expect([status, headers.get('x-ratelimit-remaining')]).toEqual([404, '99']);
  expect((await calls(service)).ok).toBe(0);
});
