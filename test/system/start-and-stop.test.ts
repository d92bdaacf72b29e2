import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { sentLogs, startSink } from '../instrumentation/child.ts';
import { collect } from '../support/child.ts';
import { createTestDatabase } from '../support/database.ts';
import { newParty } from '../support/flow.ts';
import {
  runToEnd,
  SECRET_KEY,
  spawnService,
  startService,
  temporaryDirectory,
  waitFor,
} from '../support/service.ts';
import { SERVICE_BUILD } from '../support/service-build-variable.ts';

// The service as `npm start` runs it, from its sources.
delete process.env[SERVICE_BUILD];

test('a bad configuration lists every fault in one fatal line, without the values, and exits 78', async () => {
  const { code, logs } = await runToEnd({
    PORT: 'eighty-secret',
    BODY_LIMIT: '1',
    DATABASE_URL: 'postgres://user:hunter2@127.0.0.1/x',
    SECRET_KEY: 'short-secret',
  });
  expect(code).toBe(78);
  expect(logs).toHaveLength(1);
  expect(logs[0]?.level).toBe('fatal');
  expect(logs[0]?.['faults']).toEqual([
    expect.stringMatching(/^PORT must be /),
    expect.stringMatching(/^BODY_LIMIT must be /),
    expect.stringMatching(/^SECRET_KEY must be 32 bytes/),
  ]);
  expect(JSON.stringify(logs)).not.toMatch(/secret|hunter2/);
});

test('a database that is absent at the start: one fatal line that names DATABASE_URL, exit 1', async () => {
  const { code, logs } = await runToEnd({
    DATABASE_URL: 'postgres://nobody:hunter2@127.0.0.1:1/none',
    SECRET_KEY,
    PORT: '0',
  });
  expect(code).toBe(1);
  expect(logs.filter(({ level }) => level === 'fatal')).toEqual([
    expect.objectContaining({
      msg: 'service.start_failed',
      reason: 'DATABASE_URL: connect ECONNREFUSED 127.0.0.1:1',
    }),
  ]);
});

test('an address that is taken, or not of this machine: one fatal line that names its variables, exit 1', async () => {
  const service = await startService();
  const taken = new URL(service.url).port;
  const env = { DATABASE_URL: service.database.url, SECRET_KEY, RATE_LIMIT_ENABLED: 'false' };
  for (const [more, reason] of [
    [{ PORT: taken }, `HOST/PORT: listen EADDRINUSE: address already in use 127.0.0.1:${taken}`],
    [{ PORT: '0', HOST: '203.0.113.9' }, expect.stringMatching(/^HOST\/PORT: listen EADDRNOTAVAIL/)],
    [{ PORT: '0', METRICS_PORT: taken }, expect.stringMatching(/^METRICS_HOST\/METRICS_PORT: .* EADDRINUSE/)],
  ] as const) {
    const { code, logs } = await runToEnd({ ...env, ...more });
    expect([code, logs.at(-1)]).toEqual([1, expect.objectContaining({ level: 'fatal', reason })]);
  }
  await service.stop();
});

test('one line on stderr says where it listens and where the data is; the last on stdout that it has ended', async () => {
  const database = await createTestDatabase();
  const child = spawnService({
    DATABASE_URL: database.url,
    SECRET_KEY,
    PORT: '0',
    // Its packages must not take this for leave to write for themselves.
    OTEL_LOG_LEVEL: 'warn',
  });
  const said = text(child.stderr as NodeJS.ReadableStream);
  const { logs } = collect(child);
  await waitFor(() => logs.find(({ msg }) => msg === 'service.started'));
  child.kill('SIGTERM');
  expect(await once(child, 'close')).toEqual([0, null]);
  expect(logs.slice(-2).map(({ level, msg }) => [level, msg])).toEqual([
    ['info', 'service.stopping'],
    ['info', 'service.stopped'],
  ]);
  const url = logs.find(({ msg }) => msg === 'service.started')?.['url'];
  expect(await said).toBe(`grantex-auth listens on ${url}, data in the database of DATABASE_URL\n`);
  await database.drop();
});

test('another SECRET_KEY than the one that sealed the keys: said so, exit 78', async () => {
  const database = await createTestDatabase();
  const service = await startService({ database });
  await service.stop();
  const other = Buffer.alloc(32, 8).toString('base64');
  const { code, logs } = await runToEnd({ DATABASE_URL: database.url, SECRET_KEY: other, PORT: '0' });
  expect(code).toBe(78);
  expect(logs.at(-1)?.['faults']).toEqual([
    expect.stringMatching(/^SECRET_KEY does not open the signing keys/),
  ]);
  await database.drop();
});

test('a start that fails beside a collector that listens has the same exit codes, and the collector has the last line', async () => {
  const sink = await startSink();
  const service = await startService();
  const env = {
    DATABASE_URL: service.database.url,
    SECRET_KEY,
    OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
  };
  const codes = [];
  for (const more of [
    { PORT: new URL(service.url).port },
    { PORT: '0', DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' },
    { PORT: '0', SECRET_KEY: Buffer.alloc(32, 8).toString('base64') },
  ])
    codes.push((await runToEnd({ ...env, ...more })).code);
  expect(codes).toEqual([1, 1, 78]);
  expect(sentLogs(sink).filter(({ body }) => body === 'service.start_failed')).toHaveLength(3);
  await service.stop();
  await sink.close();
});

test('the embedded database: started, kept, and gone with the service; a second service is told why it cannot start', async () => {
  const { path, remove } = await temporaryDirectory();
  const env = { DATA_DIR: path, DATABASE_URL: '', SECRET_KEY: '' };
  const service = await startService({ env });
  const { apiKey } = await service.signup();
  const second = await runToEnd({ DATA_DIR: path, PORT: '0' });
  expect(second.code).toBe(1);
  expect(second.logs.at(-1)?.['reason']).toMatch(/in use by another running service/);
  service.process.kill('SIGKILL');
  await once(service.process, 'exit');
  const again = await startService({ env });
  expect((await again.request('GET', '/v1/me', { key: apiKey })).status).toBe(200);
  expect(await again.stop()).toBe(0);
  await service.database.drop();
  await remove();
});

test('compiled code is kept as soon as the service has started, also of one that is killed', async () => {
  const { path, remove } = await temporaryDirectory();
  const service = await startService({ env: { NODE_COMPILE_CACHE: path } });
  const kept = await waitFor(async () => {
    const files = (await readdir(path, { recursive: true, withFileTypes: true })).filter((one) =>
      one.isFile(),
    );
    // They are written one after another.
    return files.length > 100 ? files.length : undefined;
  });
  expect(kept).toBeGreaterThan(100);
  service.process.kill('SIGKILL');
  await once(service.process, 'exit');
  await service.database.drop();
  await remove();
});

test('SIGTERM during the start ends it, exit 0', async () => {
  const silent = createServer((socket) => void socket.on('error', () => undefined).resume());
  await once(silent.listen(0, '127.0.0.1'), 'listening');
  const asked = once(silent, 'connection');
  const { port } = silent.address() as AddressInfo;
  const child = spawnService({
    DATABASE_URL: `postgres://nobody@127.0.0.1:${port}/none`,
    SECRET_KEY,
    PORT: '0',
  });
  const { logs } = collect(child);
  await asked;
  child.kill('SIGTERM');
  expect(await once(child, 'close')).toEqual([0, null]);
  expect(logs.map(({ msg }) => msg)).toEqual(['service.stopping', 'service.stopped']);
  silent.close();
});

test('SIGTERM lets requests under way finish, refuses new ones, and exits 0', async () => {
  const service = await startService();
  const party = await newParty(service);
  const { grantId } = await party.grant();
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const locked = Promise.withResolvers<void>();
  const holding = service.database.sql.begin(async (tx) => {
    await tx`select from grants where id = ${grantId} for update`;
    locked.resolve();
    await held;
  });
  await locked.promise;
  const answer = service.request('DELETE', `/v1/grants/${grantId}`, { key: party.key });
  const [blocked] = [
    await waitFor(async () => {
      const [row] = await service.database
        .sql`select count(*)::int as n from pg_stat_activity where wait_event_type = 'Lock'`;
      return row?.['n'] > 0 || undefined;
    }),
  ];
  expect(blocked).toBe(true);
  const exit = once(service.process, 'exit');
  service.process.kill('SIGTERM');
  await service.logged('service.stopping');
  await waitFor(() =>
    fetch(`${service.url}/health/live`).then(
      () => undefined,
      () => true,
    ),
  );
  release();
  await holding;
  const { status } = await answer;
  expect(status).toBe(204);
  expect((await exit)[0]).toBe(0);
  await service.database.drop();
});
