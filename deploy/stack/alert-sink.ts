import { createServer, type IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';

/**
 * Where the alerts of this stack end: prints each and keeps the newest. `POST /alerts` takes Alertmanager's webhook format,
 * `POST /messages` that of Slack; `GET` of either gives what came, oldest first. For development and tests: it asks nobody
 * who they are. It needs nothing but Node, so that a container can run this file alone.
 */
const HOST = process.env['ALERT_SINK_HOST'] ?? '127.0.0.1';
const PORT = Number(process.env['ALERT_SINK_PORT'] ?? 9095);
const KEPT = 1000;

interface Notification {
  readonly alerts: readonly { readonly status: string; readonly labels: Readonly<Record<string, string>> }[];
}
interface Message {
  readonly channel?: string;
  readonly attachments?: readonly { readonly title?: string; readonly text?: string }[];
}

const print = (line: string) => process.stdout.write(`${line}\n`);

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
      for (const { title, text } of attachments) print(`${channel} ${title}\n${text}`);
    },
  },
};

async function answer(request: IncomingMessage): Promise<{ status: number; body: string }> {
  const place = kept[request.url ?? ''];
  if (request.method === 'GET' && request.url === '/') return { status: 200, body: 'listening' };
  if (place === undefined) return { status: 404, body: 'POST /alerts or /messages' };
  if (request.method !== 'POST') return { status: 200, body: JSON.stringify(place.received) };
  const body = await json(request);
  place.show(body);
  place.received.push(body);
  place.received.splice(0, place.received.length - KEPT);
  // What Slack says.
  return { status: 200, body: 'ok' };
}

const server = createServer((request, response) => {
  answer(request).then(
    ({ status, body }) => response.writeHead(status).end(body),
    (error: unknown) => response.writeHead(400).end(String(error)),
  );
});
server.listen(PORT, HOST, () => print(`alerts arrive at http://${HOST}:${PORT}`));
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    server.close();
    server.closeAllConnections();
  });
