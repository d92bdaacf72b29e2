import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listen } from '../../src/http/server.ts';
import { HTTP_REFUSALS } from '../../src/label-values.ts';
import { exchange } from '../contract/raw.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';
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

const head = (...lines: string[]) => ['POST /v1/signup HTTP/1.1', 'Host: x', ...lines, '', ''].join('\r\n');
/** The beginning of a TLS handshake. */
const CLIENT_HELLO = Buffer.from('1603010200010001fc0303', 'hex');

describe('a number and a line with its reason, of every kind', () => {
  test.each([
    ['a header that is too large', `${get}X-Long: ${'x'.repeat(100_000)}\r\n\r\n`, 'headers_too_large'],
    ['a target that is too long', `GET /${'x'.repeat(100_000)} HTTP/1.1\r\n\r\n`, 'headers_too_large'],
    ['CONNECT', 'CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n', 'connect'],
    ['an unknown method', 'BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n', 'method'],
    ['TLS on the plain port', CLIENT_HELLO, 'method'],
    ['a preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'malformed'],
    ['two lengths', head('Content-Length: 5', 'Content-Length: 6'), 'malformed'],
    ['a length and chunks', head('Content-Length: 5', 'Transfer-Encoding: chunked'), 'malformed'],
    ['a length that is none', head('Content-Length: +5'), 'malformed'],
    ['a coding behind chunks', head('Transfer-Encoding: chunked, gzip'), 'malformed'],
    ['a blank in the name of a header', head('Content-Length : 5'), 'malformed'],
    ['NUL in a header', head('X: a\0b'), 'malformed'],
    ['a version that is none', 'GET / HTTP/x.1\r\nHost: x\r\n\r\n', 'malformed'],
  ])('%s', async (_what, bytes, reason) => {
    const ip = nextAddress();
    const before = await refused();
    expect(await answerTo(bytes, ip)).toMatch(/^HTTP\/1\.1 400 /);
    expect(await refused()).toEqual({ ...before, [reason]: (before[reason] ?? 0) + 1 });
    const lines = await waitFor(() => {
      const found = service.logs.filter((line) => line.msg === 'http.refused' && line['ip'] === ip);
      return found.length > 0 ? found : undefined;
    });
    expect(lines).toMatchObject([{ level: 'warn', reason, suppressed: 0 }]);
  });
});

/** Another one of this machine for each case, because the lines of one address are limited. */
let addresses = 0;
function nextAddress(): string {
  addresses += 1;
  return `127.0.1.${addresses}`;
}

async function answerTo(bytes: string | Buffer, localAddress: string): Promise<string> {
  const { hostname, port } = new URL(service.url);
  const socket = connect({ host: hostname, port: Number(port), localAddress });
  socket.on('error', () => undefined);
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
  });
  await once(socket, 'close');
  return text;
}

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
