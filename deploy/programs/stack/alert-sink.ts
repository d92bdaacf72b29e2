import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * Receives the alerts of this stack, prints each and keeps the newest. `POST /alerts` takes Alertmanager's webhook
 * format, `POST /messages` that of Slack. `GET` of either returns the kept ones, oldest first. This program is for
 * development and tests. It authenticates no caller, so it keeps little, and its output can neither move the cursor of
 * a terminal nor look like a line of another alert. It needs only Node, so that a container can run this file alone.
 */
const HOST = process.env['ALERT_SINK_HOST'] ?? '127.0.0.1';
const PORT = Number(process.env['ALERT_SINK_PORT'] ?? 9095);
const KEPT = 200;
const MAX_BYTES = 1_000_000;
/** The time limit for receiving a request. */
const REQUEST_MS = 10_000;

interface Notification {
  readonly alerts: readonly { readonly status: string; readonly labels: Readonly<Record<string, string>> }[];
}
interface Message {
  readonly channel?: string;
  readonly attachments?: readonly { readonly title?: string; readonly text?: string }[];
}

/** Control characters, and characters that are invisible or change the direction of text. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const escaped = (text: string) =>
  text.replace(UNPRINTABLE, (one) => `\\u{${one.codePointAt(0)?.toString(16)}}`);
const print = (line: string) => process.stdout.write(`${escaped(line)}\n`);

const kept: Readonly<Record<string, { received: unknown[]; show(body: unknown): void }>> = {
  '/alerts': {
    received: [],
    show: (body) => {
      for (const { status, labels } of (body as Notification).alerts)
        print(`${status} ${labels['severity']} ${labels['alertname']} ${JSON.stringify(labels)}`);
    },
  },
  '/messages': {
    received: [],
    show: (body) => {
      const { channel, attachments = [] } = body as Message;
      for (const { title, text = '' } of attachments) {
        print(`${channel} ${title}`);
        for (const line of text.split('\n')) print(`  ${line}`);
      }
    },
  },
};

async function answer(request: IncomingMessage): Promise<{ status: number; body: string }> {
  const place = kept[request.url ?? ''];
  if (request.method === 'GET' && request.url === '/') return { status: 200, body: 'listening' };
  if (place === undefined) return { status: 404, body: 'POST /alerts or /messages' };
  if (request.method !== 'POST') return { status: 200, body: JSON.stringify(place.received) };
  if (!/^application\/json *(;|$)/i.test(request.headers['content-type'] ?? ''))
    return { status: 415, body: 'application/json is what is taken' };
  const text = await read(request);
  if (text === null) return { status: 413, body: `at most ${MAX_BYTES} bytes` };
  const body: unknown = JSON.parse(text);
  place.show(body);
  place.received.push(body);
  place.received.splice(0, place.received.length - KEPT);
  // The answer of Slack.
  return { status: 200, body: 'ok' };
}

/**
 * null: the body is too long. Even then the function reads it to the end, because the sender would not get the answer
 * otherwise.
 */
async function read(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= MAX_BYTES) chunks.push(chunk);
  }
  return bytes <= MAX_BYTES ? Buffer.concat(chunks).toString() : null;
}

const server = createServer(
  { requestTimeout: REQUEST_MS, connectionsCheckingInterval: REQUEST_MS },
  (request, response) => {
    answer(request).then(
      ({ status, body }) => response.writeHead(status).end(body),
      (error: unknown) => response.writeHead(400).end(String(error)),
    );
  },
);
server.listen(PORT, HOST, () =>
  print(`alerts arrive at http://${HOST}:${(server.address() as AddressInfo).port}`),
);
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    server.close();
    server.closeAllConnections();
  });
