import net from 'node:net';
import type { Host, Tls } from '../database-url/target.ts';
import { handshake } from './handshake.ts';

/** The protocol's SSLRequest message. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
const KEEP_ALIVE_AFTER_MS = 30_000;
/** Codes that say only that an address has no route from here. The error of another address says more. */
const NO_ROUTE = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT']);

/** Whether to encrypt, in the order to try. On a Unix socket nothing is encrypted, as in libpq. */
export function encryptions(host: Host, { mode }: Tls): readonly boolean[] {
  if ('path' in host || mode === 'disable') return [false];
  if (mode === 'allow') return [false, true];
  return mode === 'prefer' ? [true, false] : [true];
}

/**
 * Connects to one server. The returned stream is encrypted and verified as asked. Nothing was read from it, and it has no listeners.
 * @param signal ends the attempt
 * @throws an error with a `code`: the socket's or TLS's own, TLS_REFUSED when the server does not encrypt,
 *   TLS_NEGOTIATION_FAILED when it answers something else, and when `signal` ends it the code of its reason or ETIMEDOUT
 */
export async function openSocket(
  host: Host,
  options: Tls,
  encrypted: boolean,
  signal: AbortSignal,
): Promise<net.Socket> {
  if (signal.aborted) throw givenUp(signal);
  const socket = net.connect({
    ...('path' in host
      ? // A name without a directory: Linux's abstract sockets begin with a zero byte.
        { path: host.path.replace(/^@/, '\0') }
      : { host: host.address ?? host.host, port: host.port }),
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_AFTER_MS,
  });
  await until(socket, 'connect', signal);
  if (!encrypted || 'path' in host) return socket;
  if (!options.direct) await askForTls(socket, signal);

  const secure = begin(socket, () => handshake(socket, host.host, options));
  await until(secure, 'secureConnect', signal);
  if (options.direct && secure.alpnProtocol !== 'postgresql') {
    secure.destroy();
    throw failed('the server speaks TLS, but not for PostgreSQL (no ALPN)');
  }
  return secure;
}

/** Destroys the socket when `work` cannot even begin. */
function begin<T>(socket: net.Socket, work: () => T): T {
  try {
    return work();
  } catch (error) {
    socket.on('error', () => undefined);
    socket.destroy();
    throw error;
  }
}

/** CVE-2021-23222: an attacker may put bytes behind the answer, to have them taken for encrypted ones. Such an answer is refused. */
async function askForTls(socket: net.Socket, signal: AbortSignal): Promise<void> {
  socket.write(SSL_REQUEST);
  const answer: Buffer = await until(socket, 'data', signal);
  if (answer.length === 1 && answer[0] === 0x53) return;
  socket.destroy();
  if (answer.length === 1 && answer[0] === 0x4e)
    throw Object.assign(new Error('the server does not encrypt connections'), { code: 'TLS_REFUSED' });
  throw failed('the server did not answer the request for TLS as PostgreSQL does');
}

/** Waits for one event of the socket. Another event before it destroys the socket. No listener stays behind. */
function until<T>(
  socket: net.Socket,
  event: 'connect' | 'data' | 'secureConnect',
  signal: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      socket.off(event, onEvent);
      socket.off('error', onError);
      socket.off('close', onClose);
      signal.removeEventListener('abort', onAbort);
    };
    const refuse = (error: Error) => {
      settle();
      // Later errors of the destroyed socket do not matter.
      socket.on('error', () => undefined);
      socket.destroy();
      reject(error);
    };
    const onEvent = (value: T) => {
      settle();
      resolve(value);
    };
    const onError = (error: Error) => refuse(mostTelling(error));
    const onClose = () => refuse(ended());
    const onAbort = () => refuse(givenUp(signal));
    socket.on(event, onEvent);
    socket.on('error', onError);
    socket.on('close', onClose);
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
  });
}

/** When a name has several addresses and none answered, the error holds one error per address and no message. */
function mostTelling(error: Error): Error {
  if (!(error instanceof AggregateError)) return error;
  const errors: NodeJS.ErrnoException[] = error.errors;
  return errors.findLast(({ code }) => code && !NO_ROUTE.has(code)) ?? errors.at(-1) ?? error;
}

function givenUp(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  if (reason instanceof Error && 'code' in reason && typeof reason.code === 'string') return reason;
  const error = new Error('the server did not take the connection in time', { cause: reason });
  return Object.assign(error, { code: 'ETIMEDOUT' });
}

const ended = () =>
  Object.assign(new Error('the server closed the connection while it was being made'), {
    code: 'ECONNRESET',
  });

const failed = (message: string) => Object.assign(new Error(message), { code: 'TLS_NEGOTIATION_FAILED' });
