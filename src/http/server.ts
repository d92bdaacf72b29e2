import { randomUUID } from 'node:crypto';
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Response } from 'express';
import type { HttpRefusal } from '../label-values.ts';
import { originForm } from '../origin-form.ts';
import { type Answers, closeAfter, createAnswers } from './answers.ts';
import { type ConnectionLimits, limitConnections } from './connections.ts';
import { createDrain, type Drain } from './drain.ts';
import { send } from './reply.ts';
import { requestIdOf } from './request-context.ts';

/** For the whole request with its body. A slow request must not hold a connection without limit. */
const REQUEST_MS = 30_000;
const HEADERS_MS = 15_000;
/** How often connections are looked at for requests that are late. */
const LOOK_MS = 5_000;
/** How long a connection with a request may be silent on both sides. A client that reads nothing is disconnected then. */
const STALLED_MS = 60_000;
/** How long a client that was refused may take to read that, or to close its end. */
const LINGER_MS = 2_000;

export interface ListeningServer extends Drain {
  readonly port: number;
}

export interface ListenOptions extends ConnectionLimits {
  readonly host: string;
  readonly port: number;
  /** How long an idle connection is kept. */
  readonly keepAliveMs: number;
  /** Which request targets are scrapes, whose connections stay open to the very end. Default: none. */
  readonly isScrape?: (url: string | undefined) => boolean;
  /** Hears of everything that is refused before it becomes a request. `address`: of the connection, undefined once it is gone. */
  readonly onRefused?: (reason: HttpRefusal, address: string | undefined) => void;
  /** For tests: see STALLED_MS and HEADERS_MS. */
  readonly stalledMs?: number;
  readonly headersMs?: number;
}

/**
 * Listens and serves.
 * @throws when the address cannot be listened on
 */
export async function listen(handler: RequestListener, options: ListenOptions): Promise<ListeningServer> {
  const { host, port, keepAliveMs, stalledMs = STALLED_MS, headersMs = HEADERS_MS } = options;
  const answers = createAnswers();
  const server = createServer({
    keepAliveTimeout: keepAliveMs,
    headersTimeout: headersMs,
    requestTimeout: REQUEST_MS,
    connectionsCheckingInterval: Math.min(LOOK_MS, headersMs),
    // Told by the application, in the one envelope.
    requireHostHeader: false,
  });
  const connections = limitConnections(server, options);
  const { isScrape = () => false } = options;
  server.setTimeout(stalledMs, (socket) => {
    // An idle connection that has reached its time ends here too, which is no fault of its client.
    if (answers.first(socket)) options.onClosed('stalled');
    socket.destroy();
  });
  const drain = createDrain({ server, connections, answers, isScrape });
  server.on('request', (req, res) => {
    answers.add(res);
    req.url = originForm(req.url);
    handler(req, res);
  });
  const { onRefused = () => undefined } = options;
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (becomesNoRequest(answers, error, socket)) onRefused(reasonOf(error), addressOf(socket));
    refuseUnparsable(answers, error, socket);
  });
  // An expectation that is not known may be ignored (RFC 9110 §10.1.1), which keeps the one envelope.
  server.on('checkExpectation', (req, res) => server.emit('request', req, res));
  server.on('connect', (_req, socket) => {
    onRefused('connect', addressOf(socket));
    // http no longer handles this socket. An error without a listener would end the process.
    socket.on('error', () => socket.destroy());
    whenAnswered(answers, socket, () => refuse(socket, 'This is not a proxy'));
  });
  await bind(server, host, port);
  return {
    port: (server.address() as AddressInfo).port,
    ...drain,
  };
}

function bind(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

const addressOf = (socket: Duplex): string | undefined =>
  socket instanceof Socket ? socket.remoteAddress : undefined;

/** Whether bytes are refused that no request is measured for: not those of a body, and not the end of a connection. */
function becomesNoRequest(answers: Answers, { code }: NodeJS.ErrnoException, socket: Duplex): boolean {
  if (code === 'ECONNRESET' || code === 'EPIPE' || !socket.writable) return false;
  return answers.first(socket)?.req.complete ?? true;
}

function reasonOf({ code }: NodeJS.ErrnoException): HttpRefusal {
  if (code === 'HPE_HEADER_OVERFLOW') return 'headers_too_large';
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'timeout';
  return code === 'HPE_INVALID_METHOD' ? 'method' : 'malformed';
}

/** Bytes that are not HTTP never become a request. They are answered with the same error envelope. */
function refuseUnparsable(answers: Answers, error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const message =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? 'The headers are too large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? 'The request took too long to arrive'
        : 'The request is not valid HTTP';
  const pending = answers.first(socket);
  if (!pending) refuse(socket, message);
  // A caller that ends in the middle of its body has left, and is counted so.
  else if (error.code === 'HPE_INVALID_EOF_STATE' && !pending.req.complete) socket.destroy();
  else if (pending.req.complete || pending.headersSent || !isAppResponse(pending))
    whenAnswered(answers, socket, () => socket.destroy());
  else refuseOn(pending, message);
}

/** Rubbish behind requests must not take the place of their answers. */
function whenAnswered(answers: Answers, socket: Duplex, then: () => void): void {
  const pending = answers.first(socket);
  if (pending) pending.once('close', () => whenAnswered(answers, socket, then));
  else then();
}

/** A request whose body turned out to be no HTTP: the answer is its own, and is measured as such. */
function refuseOn(response: Response, message: string): void {
  closeAfter(response);
  const json = { message, code: 'BAD_REQUEST', requestId: requestIdOf(response) };
  send(response.req, response, { status: 400, json });
}

/** Not so of a scrape, which has no envelope. */
const isAppResponse = (response: ServerResponse): response is Response => 'locals' in response;

function refuse(socket: Duplex, message: string): void {
  const requestId = randomUUID();
  const body = JSON.stringify({ message, code: 'BAD_REQUEST', requestId });
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/json; charset=utf-8\r\n` +
      `X-Request-Id: ${requestId}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  // Our end is closed. A client that never closes its own would hold the connection for ever.
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}
