import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { PATIENCE_MS } from '../support/child.ts';

export interface RawAnswer {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Exchange {
  /** Final answers, in their order. */
  readonly answers: readonly RawAnswer[];
  /** The connection could still be used afterwards. */
  readonly kept: boolean;
  /** Of the client's end of the connection. */
  readonly port: number;
}

const LAST_ID = 'the last request';
const LAST = `GET /health/live HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${LAST_ID}\r\nConnection: close\r\n\r\n`;

/**
 * What the client does behind its bytes, or after their first whole answer: it asks a plain last request, which shows where
 * the server takes the bytes to end, or it ends the connection. One that reads to the end leaves that to the server.
 */
export type Ending = 'ask behind' | 'ask after' | 'end behind' | 'end after' | 'read to the end';

/**
 * Writes bytes to a connection of its own and gathers what comes back until the server closes it.
 * @throws when the server leaves the connection open, or answers with what is no HTTP
 */
export function exchange(
  base: string,
  bytes: string | Buffer,
  ending: Ending = 'ask behind',
): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(base);
    const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
    const received: Buffer[] = [];
    let own = 0;
    let finished = false;
    const patience = setTimeout(() => {
      socket.destroy();
      reject(new Error(`left open after ${PATIENCE_MS} ms, with ${Buffer.concat(received)}`));
    }, PATIENCE_MS);
    socket.on('connect', () => {
      own = socket.localPort ?? 0;
      socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
      if (ending.endsWith('behind')) finish();
    });
    const finish = () => {
      finished = true;
      if (ending.startsWith('ask')) socket.write(LAST);
      else socket.end();
    };
    socket.on('data', (chunk: Buffer) => {
      received.push(chunk);
      // An answer may come in several chunks.
      if (ending.endsWith('after') && !finished && parseAnswers(Buffer.concat(received)).answers.length > 0)
        finish();
    });
    socket.on('end', () => socket.destroy());
    // What is still being written when the server is done with it may end in a reset.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(patience);
      try {
        const { answers: all, rest } = parseAnswers(Buffer.concat(received));
        if (rest.length > 0) throw new Error(`not a whole answer: ${rest.toString('latin1')}`);
        const kept = all.at(-1)?.headers['x-request-id'] === LAST_ID;
        resolve({ answers: kept ? all.slice(0, -1) : all, kept, port: own });
      } catch (error) {
        reject(error);
      }
    });
  });
}

/** The whole HTTP/1.1 answers at the beginning, and what is behind them. */
function parseAnswers(bytes: Buffer): { answers: RawAnswer[]; rest: Buffer } {
  const answers: RawAnswer[] = [];
  let rest = bytes;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    const [start = '', ...lines] = rest.subarray(0, Math.max(end, 0)).toString('latin1').split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(start)?.[1]);
    if (Number.isNaN(status)) return { answers, rest };
    const headers = Object.fromEntries(
      lines.map((line) => [line.split(':', 1)[0]?.toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    );
    const length = Number(headers['content-length'] ?? 0);
    const body = rest.subarray(end + 4, end + 4 + length);
    if (body.length < length) return { answers, rest };
    // Interim answers come before the real one.
    if (status >= 200) answers.push({ status, headers, body: body.toString('utf8') });
    rest = rest.subarray(end + 4 + length);
  }
}

const TIME_WAIT = '06';

/** Which of these ports of clients the kernel still knows a connection of the server's to. */
export function stillConnected(base: string, clients: ReadonlySet<number>): number[] {
  const server = Number(new URL(base).port);
  const portOf = (address = '') => Number.parseInt(address.split(':')[1] ?? '', 16);
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => portOf(local) === server && state !== TIME_WAIT)
    .map(([, , remote]) => portOf(remote))
    .filter((port) => clients.has(port));
}
