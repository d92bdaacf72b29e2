import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { type ListenOptions, listen } from '../../src/http/server.ts';
import { ON_LOOPBACK } from './on-loopback.ts';

const answerOk: RequestListener = (_request, response) => void response.end('ok');

async function start(options: Partial<ListenOptions>, handler: RequestListener = answerOk) {
  const closed: string[] = [];
  const server = await listen(handler, {
    ...ON_LOOPBACK,
    onClosed: (reason) => closed.push(reason),
    ...options,
  });
  onTestFinished(() => server.cut());
  const open = (from = '127.0.0.1'): Socket => {
    const socket = connect({ port: server.port, host: '127.0.0.1', localAddress: from, allowHalfOpen: true });
    socket.on('error', () => undefined);
    onTestFinished(() => void socket.destroy());
    return socket;
  };
  return { open, closed };
}
/** Resolves at the end of a connection, whether or not it was reset. */
const ended = (socket: Socket): Promise<void> =>
  new Promise((resolve) => socket.once('close', () => resolve()));
const ask = (socket: Socket) => socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
/** Whether a connection is answered, or closed without an answer. */
const fate = async (socket: Socket): Promise<'answered' | 'closed'> => {
  ask(socket);
  return new Promise((resolve) => {
    socket.once('data', () => resolve('answered'));
    for (const end of ['end', 'close']) socket.once(end, () => resolve('closed'));
  });
};

test('of one address only so many connections; another address is served; a place that is left is free', async () => {
  const { open, closed } = await start({ maxPerAddress: 2 });
  const first = open();
  expect([await fate(first), await fate(open()), await fate(open())]).toEqual([
    'answered',
    'answered',
    'closed',
  ]);
  expect(await fate(open('127.0.0.2'))).toBe('answered');
  expect(closed).toEqual(['address_limit']);
  first.destroy();
  await expect.poll(async () => fate(open())).toBe('answered');
});

test('in all only so many, whatever their addresses', async () => {
  const { open, closed } = await start({ max: 3 });
  for (const from of ['127.0.0.1', '127.0.0.2', '127.0.0.3']) expect(await fate(open(from))).toBe('answered');
  expect(await fate(open('127.0.0.4'))).toBe('closed');
  expect(closed).toEqual(['limit']);
});

test('a proxy is not bound by the limit of one address', async () => {
  const { open, closed } = await start({ maxPerAddress: 1, isProxy: (address) => address === '127.0.0.1' });
  expect([await fate(open()), await fate(open()), await fate(open())]).toEqual(Array(3).fill('answered'));
  expect(await fate(open('127.0.0.2'))).toBe('answered');
  expect(await fate(open('127.0.0.2'))).toBe('closed');
  expect(closed).toEqual(['address_limit']);
});

test.each([
  ['sends nothing', ''],
  ['never ends its headers', 'GET / HTTP/1.1\r\nHost: x\r\nX: '],
  ['sends rubbish', 'rubbish\r\n\r\n'],
  ['asks for a tunnel', 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n'],
])('a client that %s and never closes its end is disconnected', async (_what, bytes) => {
  const { open } = await start({ headersMs: 200 });
  const socket = open();
  const gone = ended(socket);
  if (bytes) socket.write(bytes);
  // It is told, closes nothing, and is reset at its next byte at the latest.
  socket.once('end', () => {
    const timer = setInterval(() => socket.write('x'), 100);
    socket.once('close', () => clearInterval(timer));
  });
  socket.resume();
  await gone;
});

test('a client that reads nothing of its answer is disconnected, and counted', async () => {
  const { open, closed } = await start({ stalledMs: 300 }, (_request, response) => {
    response.end(Buffer.alloc(64 * 1024 * 1024));
  });
  const socket = open().pause();
  await once(socket, 'connect');
  ask(socket);
  await expect.poll(() => closed).toEqual(['stalled']);
});

test('a client that asks without end and reads nothing is disconnected', async () => {
  const { open, closed } = await start({ stalledMs: 300 }, (_request, response) => {
    response.end(Buffer.alloc(100_000));
  });
  const socket = open().pause();
  await once(socket, 'connect');
  for (let n = 0; n < 2000; n++) ask(socket);
  await expect.poll(() => closed).toEqual(['stalled']);
});

test('an idle connection is kept for KEEP_ALIVE_SECONDS and not for less, and its end is not counted', async () => {
  const { open, closed } = await start({ keepAliveMs: 1500, stalledMs: 200 });
  const socket = open();
  expect(await fate(socket)).toBe('answered');
  const begun = performance.now();
  socket.resume();
  await once(socket, 'end');
  expect(performance.now() - begun).toBeGreaterThan(1400);
  expect(closed).toEqual([]);
});
