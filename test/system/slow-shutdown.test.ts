import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { Cable } from '../support/cable.ts';
import { createTestDatabase } from '../support/database.ts';
import { newParty } from '../support/flow.ts';
import { startService } from '../support/service.ts';
import { HOOK_ENV, hook } from '../webhooks/hooks.ts';

const TIMEOUT_MS = 6000;
/** For the signal, and for the end of the process on a busy machine; an export that is waited for takes ten seconds. */
const MARGIN_MS = 3000;

test('with callers, database and collector that all hang, the end comes within SHUTDOWN_TIMEOUT_MS', async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const url = new URL(database.url);
  const cable = new Cable(Number(url.port));
  url.port = String(await cable.open());
  onTestFinished(() => cable.close());
  const collector = createServer((socket) => void socket.on('error', () => undefined).resume());
  await once(collector.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void collector.close());
  const service = await startService({
    database,
    env: {
      ...HOOK_ENV,
      DATABASE_URL: url.href,
      SHUTDOWN_TIMEOUT_MS: String(TIMEOUT_MS),
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
    },
  });
  onTestFinished(() => void service.process.kill('SIGKILL'));
  // With a webhook there is always somebody who asks the database.
  await hook(service, await newParty(service), 'http://127.0.0.1:1/');
  const silent = connect(Number(new URL(service.url).port), '127.0.0.1');
  silent.on('error', () => undefined);
  await once(silent, 'connect');
  silent.write('POST /v1/token HTTP/1.1\r\n');
  await cable.set('hanging');

  const exited = once(service.process, 'exit');
  const begun = performance.now();
  service.process.kill('SIGTERM');
  expect((await exited)[0]).toBe(0);
  expect(performance.now() - begun).toBeLessThan(TIMEOUT_MS + MARGIN_MS);
});
