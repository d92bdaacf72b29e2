import { afterAll, beforeAll, expect, test } from 'vitest';
import { listen } from '../../src/http/server.ts';
import { HTTP_REFUSALS } from '../../src/label-values.ts';
import { exchange } from '../contract/raw.ts';
import { startService, type TestService } from '../support/service.ts';
import { ON_LOOPBACK } from './on-loopback.ts';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

const refused = async () => {
  const scrape = await service.scrape();
  return Object.fromEntries(
    HTTP_REFUSALS.map((reason) => [reason, scrape.value('grantex_http_refused_total', { reason })]),
  );
};
const get = 'GET /health HTTP/1.1\r\nHost: x\r\n';
const NONE = { headers_too_large: 0, malformed: 0, connect: 0, method: 0, timeout: 0 };

test('each kind is counted once, answered in the envelope, and told in one line that a flood cannot make many', async () => {
  expect(await refused()).toEqual(NONE);
  const send = async (bytes: string) => {
    const { answers } = await exchange(service.url, bytes, 'read to the end');
    const last = answers.at(-1);
    expect([last?.status, JSON.parse(last?.body ?? '').code]).toEqual([400, 'BAD_REQUEST']);
  };
  await send(`${get}X-Long: ${'x'.repeat(100_000)}\r\n\r\n`);
  await send('rubbish\r\n\r\n');
  await send(`${get}Bad Header: x\r\n\r\n`);
  await send('CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n');
  await send('BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n');
  expect(await refused()).toEqual({ headers_too_large: 1, malformed: 1, connect: 1, method: 2, timeout: 0 });
  const lines = service.logs.filter(({ msg }) => msg === 'http.refused');
  expect(lines).toEqual([
    expect.objectContaining({ level: 'warn', reason: 'headers_too_large', ip: '127.0.0.1', suppressed: 0 }),
  ]);
});

test('a request whose body is no HTTP is a request, and so is none of them', async () => {
  const before = await refused();
  const { answers } = await exchange(
    service.url,
    'POST /v1/signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    'read to the end',
  );
  expect(answers[0]?.status).toBe(400);
  expect(await refused()).toEqual(before);
});

test('headers that do not arrive in time are one refusal, with the address of the connection', async () => {
  const heard: unknown[] = [];
  const server = await listen(() => undefined, {
    ...ON_LOOPBACK,
    headersMs: 50,
    onRefused: (...refusal) => heard.push(refusal),
  });
  try {
    const { answers } = await exchange(
      `http://127.0.0.1:${server.port}`,
      'GET / HTTP/1.1\r\nHost:',
      'read to the end',
    );
    expect(JSON.parse(answers[0]?.body ?? '').message).toBe('The request took too long to arrive');
    expect(heard).toEqual([['timeout', '127.0.0.1']]);
  } finally {
    await server.close();
  }
});
