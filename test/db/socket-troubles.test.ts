import dns from 'node:dns';
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { afterEach, expect, test, vi } from 'vitest';
import { parseTarget } from '../../src/database-url/target.ts';
import { openSocket } from '../../src/db/socket.ts';
import { Authority } from '../support/certificates.ts';

const servers: net.Server[] = [];
const open = new Set<net.Socket>();

afterEach(() => {
  vi.restoreAllMocks();
  for (const socket of open) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** A server that does as it is told, and what is said of a connection to it. */
async function serve(behave: (socket: net.Socket) => void, host = '127.0.0.1') {
  const server = net.createServer((socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    behave(socket);
  });
  servers.push(server);
  await once(server.listen(0, host), 'listening');
  const { port } = server.address() as net.AddressInfo;
  return { port, accepted: once(server, 'connection') as Promise<[net.Socket]> };
}

const answering = (...answers: string[]) =>
  serve((socket) => {
    socket.once('data', () => {
      for (const answer of answers) socket.write(answer);
    });
  });

function connect(
  port: number,
  parameters = 'sslmode=require',
  signal = AbortSignal.timeout(10_000),
  host = '127.0.0.1',
) {
  const target = parseTarget(`postgres://${host}:${port}/x?${parameters}`);
  const [first] = target.hosts;
  if (!first) throw new Error('no host');
  return openSocket(first, target.tls, target.tls.mode !== 'disable', signal);
}

/** The connection is closed on our side, too. */
const gone = async (accepted: Promise<[net.Socket]>) => {
  const [socket] = await accepted;
  socket.resume();
  if (!socket.closed) await once(socket, 'close');
};

test('what is asked for TLS is asked as PostgreSQL expects it', async () => {
  const { port, accepted } = await serve((socket) => socket.pause());
  const attempt = connect(port);
  const [socket] = await accepted;
  const [asked] = await once(socket.resume(), 'data');
  expect(asked).toEqual(Buffer.from('0000000804d2162f', 'hex'));
  socket.end('N');
  await expect(attempt).rejects.toMatchObject({
    code: 'TLS_REFUSED',
    message: 'the server does not encrypt connections',
  });
});

test.each([
  ['bytes behind the S', 'SE'],
  ['bytes behind the N', 'NE'],
  ['an error of a server that has never heard of it', 'E'],
])('%s', async (_what, answer) => {
  const { port, accepted } = await answering(answer);
  await expect(connect(port)).rejects.toMatchObject({ code: 'TLS_NEGOTIATION_FAILED' });
  await gone(accepted);
});

test('no TLS behind the S', async () => {
  const { port, accepted } = await serve((socket) => {
    socket.once('data', () => {
      socket.write('S');
      socket.once('data', () => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
    });
  });
  await expect(connect(port)).rejects.toMatchObject({ code: 'ERR_SSL_WRONG_VERSION_NUMBER' });
  await gone(accepted);
});

test.each([
  ['localhost', 'sslmode=require', true],
  ['localhost', 'sslmode=require&sslsni=0', false],
  ['127.0.0.1', 'sslmode=require', false],
  ['127.0.0.1', 'sslmode=require&host=localhost&hostaddr=127.0.0.1', true],
])('%s with %s: the server is told the name: %s', async (host, parameters, named) => {
  const { promise: hello, resolve } = Promise.withResolvers<Buffer>();
  const { port } = await serve((socket) => {
    socket.once('data', () => {
      socket.write('S');
      socket.once('data', (bytes) => {
        resolve(bytes);
        socket.destroy();
      });
    });
  });
  await expect(connect(port, parameters, undefined, host)).rejects.toMatchObject({ code: 'ECONNRESET' });
  expect((await hello).includes('localhost')).toBe(named);
});

test('direct TLS with something that is no PostgreSQL', async () => {
  const secure = tls.createServer({ ...(await (await Authority.create()).server()) });
  secure.on('secureConnection', (socket) => open.add(socket));
  servers.push(secure);
  await once(secure.listen(0, '127.0.0.1'), 'listening');
  const { port } = secure.address() as net.AddressInfo;
  await expect(connect(port, 'sslmode=require&sslnegotiation=direct')).rejects.toMatchObject({
    code: 'TLS_NEGOTIATION_FAILED',
  });
});

test.each([
  ['before it answers', []],
  ['during the handshake', ['S']],
])('a server that closes %s', async (_what, answers) => {
  const { port } = await serve((socket) => {
    socket.once('data', () => {
      if (answers[0] === undefined) socket.end();
      else {
        socket.write(answers[0]);
        socket.once('data', () => socket.end());
      }
    });
  });
  await expect(connect(port)).rejects.toMatchObject({ code: 'ECONNRESET' });
});

test.each([
  ['the answer', 'sslmode=require', []],
  ['the handshake', 'sslmode=require', ['S']],
  ['a handshake without a question', 'sslmode=require&sslnegotiation=direct', []],
])('aborted while it waits for %s', async (_what, parameters, answers) => {
  const { port, accepted } = await answering(...answers);
  const abort = new AbortController();
  const attempt = connect(port, parameters, abort.signal);
  const [socket] = await accepted;
  await once(socket, 'data');
  if (answers.length > 0) await once(socket, 'data');
  abort.abort();
  await expect(attempt).rejects.toMatchObject({ code: 'ETIMEDOUT' });
  await gone(accepted);
});

test('the reason of the abort is kept when it has a code', async () => {
  const { port } = await answering();
  const reason = Object.assign(new Error('closing'), { code: 'CLOSING' });
  await expect(connect(port, '', AbortSignal.abort(reason))).rejects.toBe(reason);
  await expect(connect(port, '', AbortSignal.abort())).rejects.toMatchObject({ code: 'ETIMEDOUT' });
  await expect(connect(port, '', AbortSignal.timeout(20))).rejects.toMatchObject({
    code: 'ETIMEDOUT',
    cause: { name: 'TimeoutError' },
  });
});

test('an abort that comes when the socket has been handed over changes nothing', async () => {
  const { port } = await answering('hello');
  const abort = new AbortController();
  const socket = await connect(port, 'sslmode=disable', abort.signal);
  abort.abort();
  expect(socket.eventNames().filter((name) => name !== 'end')).toEqual([]);
  socket.write('?');
  const [answer] = await once(socket, 'data');
  expect(String(answer)).toBe('hello');
  socket.destroy();
});

/** What the name service says of one name; all else stays as it is. */
function name(addresses: readonly string[]): string {
  const answer = addresses.map((address) => ({ address, family: net.isIP(address) }));
  vi.spyOn(dns, 'lookup').mockImplementation(((
    _name: string,
    _options: object,
    done: (...found: unknown[]) => void,
  ) => done(null, answer)) as typeof dns.lookup);
  return 'db.example.com';
}

/** A port where nobody listens. */
async function nobody(): Promise<number> {
  const { port } = await serve(() => undefined);
  await new Promise((resolve) => servers.pop()?.close(resolve));
  return port;
}

test('nobody listens: the code, and the address', async () => {
  const port = await nobody();
  const expected = { code: 'ECONNREFUSED', message: `connect ECONNREFUSED 127.0.0.1:${port}` };
  await expect(connect(port)).rejects.toMatchObject(expected);
  await expect(connect(port, 'host=/nowhere')).rejects.toMatchObject({ code: 'ENOENT' });
});

test.each([
  [['127.0.0.2', '127.0.0.1'], '127.0.0.1'],
  [['127.0.0.1', '127.0.0.2'], '127.0.0.1'],
  [['::1', '127.0.0.1'], '127.0.0.1'],
  [['127.0.0.1', '::1'], '::1'],
])('of a name with the addresses %j the one that answers is taken', async (addresses, listening) => {
  const { port } = await serve(() => undefined, listening);
  const socket = await connect(port, 'sslmode=disable', undefined, name(addresses));
  expect(socket.remoteAddress).toBe(listening);
  socket.destroy();
});

test.each([
  // An address to which there is no way, and a machine that says no.
  [['fe80::1%lo', '127.0.0.1'], '127.0.0.1'],
  [['127.0.0.1', 'fe80::1%lo'], '127.0.0.1'],
  [['::1', '127.0.0.1'], '127.0.0.1'],
])('of a name with the addresses %j none answers', async (addresses, telling) => {
  const port = await nobody();
  await expect(connect(port, '', undefined, name(addresses))).rejects.toMatchObject({
    code: 'ECONNREFUSED',
    message: `connect ECONNREFUSED ${telling}:${port}`,
  });
});
