// The whole service, when nobody takes what it writes to standard output.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { afterEach, expect, test } from 'vitest';
import { type LogLine, spawnService, waitFor } from '../support/child.ts';
import { createTestDatabase } from '../support/database.ts';
import { parseScrape } from '../support/scrape.ts';
import { SECRET_KEY } from '../support/service.ts';

const KEY = 'a-key-of-a-seeded-developer-0001';
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** Starts the service without reading what it writes, and waits until it is ready. */
async function start(within?: (command: readonly string[]) => readonly string[]) {
  const database = await createTestDatabase();
  ends.push(() => database.drop());
  const port = await freePort();
  const env = {
    DATABASE_URL: database.url,
    SECRET_KEY,
    PORT: port,
    RATE_LIMIT_ENABLED: 'false',
    SEED_API_KEY: KEY,
  };
  const child = spawnService(env, 'pipe', within);
  ends.push(() => child.kill('SIGKILL'));
  const url = `http://127.0.0.1:${port}`;
  const statusOf = (path: string) => fetch(url + path).then(({ status }) => status);
  const ready = () =>
    waitFor(
      async () => ((await statusOf('/health/ready').catch(() => 0)) === 200 ? true : undefined),
      90_000,
    );
  /** Each is one line, `token.verification_failed`. They go out together, because some thousands must not take minutes; at most 200. */
  const verify = async (times: number) => {
    const socket = connect(Number(port), '127.0.0.1').setEncoding('latin1');
    const request = [
      'POST /v1/tokens/verify HTTP/1.1',
      'Host: x',
      `Authorization: Bearer ${KEY}`,
      `X-Request-Id: ${'x'.repeat(128)}`,
      'Content-Type: application/json',
      'Content-Length: 13',
      '',
      '{"token":"x"}',
    ].join('\r\n');
    socket.write(request.repeat(times));
    let text = '';
    const answered = () => text.split('{"valid":false').length - 1;
    for await (const chunk of socket) {
      text += chunk;
      if (answered() === times) break;
    }
    socket.destroy();
    expect(answered()).toBe(times);
  };
  const scrape = async () => parseScrape(await (await fetch(`${url}/metrics`)).text());
  const lost = async () =>
    (await scrape()).value('grantex_telemetry_dropped_total', { signal: 'stdout' }) ?? -1;
  return { child, ready, statusOf, verify, scrape, lost };
}

/** The service cannot say which port it has: none of its lines is read. */
async function freePort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return String(port);
}

const exitOf = async (child: ChildProcess) =>
  child.exitCode ?? (await once(child, 'exit').then(([code]) => code as number | null));

test('a reader that stops: answers go on, what does not fit is lost and counted, and all else comes when it reads', async () => {
  const { child, ready, statusOf, verify, scrape, lost } = await start();
  await ready();
  expect(await lost()).toBe(0);
  await waitFor(async () => {
    await Promise.all(Array.from({ length: 20 }, () => verify(100)));
    return (await lost()) > 0 ? true : undefined;
  }, 120_000);
  expect(await statusOf('/health/live')).toBe(200);
  const written = (await scrape()).value('grantex_token_verifications_total', { result: 'invalid' });
  const dropped = await lost();
  const lines: LogLine[] = [];
  if (child.stdout)
    createInterface({ input: child.stdout }).on('line', (line) => lines.push(JSON.parse(line)));
  const read = () => lines.filter(({ msg }) => msg === 'token.verification_failed').length;
  const untilRead = (count: number) => waitFor(() => read() >= count || undefined);
  // What is written before there is room again is lost, too.
  await untilRead((written ?? 0) - dropped);
  await verify(10);
  await untilRead((written ?? 0) - dropped + 10);
  expect(await lost()).toBe(dropped);
  child.kill('SIGTERM');
  expect(await exitOf(child)).toBe(0);
  await waitFor(() => lines.at(-1)?.msg === 'service.stopped' || undefined);
  expect(read()).toBe((written ?? 0) - dropped + 10);
});

test('SIGTERM ends a service whose reader has stopped, with exit 0', async () => {
  const { child, ready, verify } = await start();
  await ready();
  // A pipe holds 64 KiB.
  for (let n = 0; n < 6; n++) await verify(100);
  child.kill('SIGTERM');
  expect(await exitOf(child)).toBe(0);
});

test.each([
  [
    'a full disk',
    (command: readonly string[]) => ['sh', '-c', 'exec "$@" >/dev/full', 'sh', ...command],
    false,
  ],
  ['pipes whose readers have gone, that of standard error too', undefined, true],
])('%s: every line is lost and counted, and nothing else happens', async (_what, within, close) => {
  const { child, ready, verify, lost } = await start(within);
  if (close) for (const pipe of [child.stdout, child.stderr]) pipe?.destroy();
  await ready();
  const before = await lost();
  // The lines of the start.
  expect(before).toBeGreaterThan(0);
  await verify(10);
  await waitFor(async () => ((await lost()) === before + 10 ? true : undefined));
  child.kill('SIGTERM');
  expect(await exitOf(child)).toBe(0);
});
