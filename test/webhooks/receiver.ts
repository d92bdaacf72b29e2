import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PATIENCE_MS, waitFor } from '../support/child.ts';

/** One request that came in, with the exact bytes of its body. */
export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly raw: Buffer;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of every shape
  readonly body: any;
  /** performance.now() at its end. */
  readonly at: number;
}

/** What the receiver does with its `index`-th request, from 0. */
export type Behaviour = (response: ServerResponse, index: number, request: Received) => void;

export interface Receiver {
  readonly url: string;
  readonly received: readonly Received[];
  /** Connections so far, also such as sent nothing. */
  connections(): number;
  /** Requests that are answered by nobody yet. */
  open(): number;
  behave(behaviour: Behaviour): void;
  /** The requests so far, once there are at least `count` (that hold). */
  until(count: number, filter?: (one: Received) => boolean, timeoutMs?: number): Promise<Received[]>;
  close(): Promise<void>;
}

export const answer =
  (status: number, headers: Record<string, string> = {}): Behaviour =>
  (response) =>
    void response.writeHead(status, headers).end();

/** An HTTP server on loopback that webhooks go to. */
export async function startReceiver(behaviour: Behaviour = answer(204)): Promise<Receiver> {
  const received: Received[] = [];
  let behave = behaviour;
  let connections = 0;
  let open = 0;
  const server = createServer(async (request, response) => {
    open++;
    response.on('close', () => open--);
    const one = await read(request);
    received.push(one);
    behave(response, received.length - 1, one);
  });
  server.on('connection', () => connections++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/hook`,
    received,
    connections: () => connections,
    open: () => open,
    behave(next) {
      behave = next;
    },
    until: (count, filter = () => true, timeoutMs = PATIENCE_MS) =>
      waitFor(() => {
        const found = received.filter(filter);
        return found.length >= count ? found : undefined;
      }, timeoutMs),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function read(request: IncomingMessage): Promise<Received> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const raw = Buffer.concat(chunks);
  return {
    method: request.method ?? '',
    path: request.url ?? '',
    headers: request.headers,
    raw,
    body: JSON.parse(raw.toString()),
    at: performance.now(),
  };
}
