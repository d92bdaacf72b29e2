import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const REGISTER = './instrumentation/register.ts';
const SERVER = 'test/telemetry/fixtures/server.ts';
const WATCH = './test/telemetry/fixtures/watch-connections.ts';

interface Message {
  readonly port?: number;
  readonly metricsPort?: number | null;
  readonly hasScrape?: boolean;
  readonly waiting?: boolean;
  readonly connected?: boolean;
  readonly stoppedAfterMs?: number;
}

export interface Child {
  readonly url: string;
  readonly started: Message;
  /** The next message that passes. Messages that came before are looked at first. */
  message(passes: (message: Message) => boolean): Promise<Message>;
  readonly messages: readonly Message[];
  /** Ends the child in order. */
  stop(): Promise<Message>;
  /** All that it wrote to standard output, when it has ended. */
  output(): Promise<string>;
  /** Parsed lines of standard output, when it has ended. */
  lines(): Promise<Record<string, unknown>[]>;
  readonly exited: Promise<number | null>;
  kill(): void;
}

/** Environment of a child: nothing of this process that would change telemetry. */
function cleanEnv(env: Record<string, string>): Record<string, string> {
  const inherited = Object.entries(process.env).filter(
    ([name, value]) => value !== undefined && !/^(OTEL_|METRICS_|LOG_LEVEL|NODE_OPTIONS|VITEST)/.test(name),
  );
  return { ...(Object.fromEntries(inherited) as Record<string, string>), ...env };
}

/** Starts a Node program of this repository with the telemetry of the service. */
export function spawnNode(env: Record<string, string>, ...args: string[]): ChildProcess {
  return spawn(process.execPath, args, {
    cwd: ROOT,
    env: cleanEnv(env),
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
}

/** Starts the fixture server and waits until it listens. */
export async function startChild(env: Record<string, string> = {}): Promise<Child> {
  const child = spawnNode(env, '--import', WATCH, '--import', REGISTER, SERVER);
  const messages: Message[] = [];
  const waiting = new Set<() => void>();
  child.on('message', (message: Message) => {
    messages.push(message);
    for (const look of waiting) look();
  });
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const exited = once(child, 'close').then(([code]) => code as number | null);
  const message = (passes: (message: Message) => boolean) =>
    new Promise<Message>((resolve, reject) => {
      const look = () => {
        const found = messages.find(passes);
        if (found === undefined) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      void exited.then((code) => reject(new Error(`the child ended with ${code}: ${text}`)));
      look();
    });
  const started = await message(({ port }) => port !== undefined);
  return {
    url: `http://127.0.0.1:${started.port}`,
    started,
    message,
    messages,
    async stop() {
      child.send('stop');
      const stopped = await message(({ stoppedAfterMs }) => stoppedAfterMs !== undefined);
      await exited;
      return stopped;
    },
    async output() {
      await exited;
      return text;
    },
    async lines() {
      await exited;
      return text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    },
    exited,
    kill: () => void child.kill('SIGKILL'),
  };
}

interface Received {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** A collector's HTTP port: keeps what it is sent, and answers as it is told to. */
export async function startSink(answer: (response: ServerResponse) => void = (response) => response.end()) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks) });
      answer(response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
export type Sink = Awaited<ReturnType<typeof startSink>>;

interface KeyValue {
  readonly key: string;
  readonly value: Record<string, unknown>;
}
export interface SentSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status: { code: number };
  readonly attributes: Record<string, unknown>;
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
}

const attributesOf = (list: readonly KeyValue[]): Record<string, unknown> =>
  Object.fromEntries(list.map(({ key, value }) => [key, Object.values(value)[0]]));

/** Spans that a sink was sent as OTLP JSON. */
export function sentSpans(sink: Sink): SentSpan[] {
  return sink.received
    .filter(({ path }) => path.endsWith('/v1/traces'))
    .flatMap(({ body }) => JSON.parse(body.toString()).resourceSpans)
    .flatMap(({ scopeSpans }) => scopeSpans)
    .flatMap(({ spans }) => spans)
    .map((span) => ({ ...span, attributes: attributesOf(span.attributes) }));
}

/** Log records that a sink was sent as OTLP JSON, with the attributes of their resource. */
export function sentLogs(sink: Sink): Record<string, unknown>[] {
  return sink.received
    .filter(({ path }) => path.endsWith('/v1/logs'))
    .flatMap(({ body }) => JSON.parse(body.toString()).resourceLogs)
    .flatMap(({ resource, scopeLogs }) =>
      scopeLogs.flatMap(({ logRecords }: { logRecords: { attributes: KeyValue[]; body: object }[] }) =>
        logRecords.map((record) => ({
          ...record,
          body: Object.values(record.body)[0],
          attributes: attributesOf(record.attributes),
          resource: attributesOf(resource.attributes),
        })),
      ),
    );
}

/**
 * Every attribute that a sink was sent as OTLP JSON, with the kinds of its values: of the records of one signal, by their
 * path, or of the resources of all of them.
 */
export function attributesByName(sink: Sink, of: string): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  const look = (value: unknown, inResource: boolean): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [member, inner] of Object.entries(value)) {
      const resource = inResource || member === 'resource';
      if (member === 'attributes' && resource === (of === 'resource'))
        for (const { key, value } of inner as KeyValue[])
          for (const kind of Object.keys(value)) found.set(key, (found.get(key) ?? new Set()).add(kind));
      else look(inner, resource);
    }
  };
  for (const { path, body } of sink.received)
    if (of === 'resource' || path.endsWith(of)) look(JSON.parse(body.toString()), false);
  return found;
}
