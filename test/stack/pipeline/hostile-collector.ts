import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

/**
 * How a collector treats requests:
 * - `well`: accepts them;
 * - `mute`: reads them and never answers;
 * - `throttling`, `unavailable`: answers 429 or 503, which both ask for another attempt;
 * - `garbage`: answers with bytes that are no HTTP;
 * - `slow`: accepts them after ten seconds.
 */
export type Conduct = 'well' | 'mute' | 'throttling' | 'unavailable' | 'garbage' | 'slow';

const SLOW_MS = 10_000;

interface Sent {
  readonly resourceSpans?: readonly {
    readonly scopeSpans: readonly { readonly spans: readonly Traced[] }[];
  }[];
  readonly resourceLogs?: readonly {
    readonly scopeLogs: readonly { readonly logRecords: readonly Traced[] }[];
  }[];
}
interface Traced {
  readonly traceId?: string;
}

/** An OTLP/HTTP server (JSON) with a configurable behaviour. It remembers the accepted data. */
export class HostileCollector {
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #traces = new Set<string>();
  #conduct: Conduct = 'well';
  #logs = 0;
  #asked = 0;

  async open(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  behave(conduct: Conduct): void {
    this.#conduct = conduct;
  }

  /** The number of requests so far, answered or not. */
  get asked(): number {
    return this.#asked;
  }

  /** The number of accepted log records. */
  get logs(): number {
    return this.#logs;
  }

  hasTrace(traceId: string): boolean {
    return this.#traces.has(traceId);
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#asked++;
    // A client may abort its request. That is no failure here.
    const sent = await json(request).then(
      (body) => body as Sent,
      () => undefined,
    );
    if (sent === undefined) return;
    const take = () => {
      this.#take(sent);
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    };
    switch (this.#conduct) {
      case 'well':
        return take();
      case 'mute':
        return;
      case 'throttling':
        response.writeHead(429).end();
        return;
      case 'unavailable':
        response.writeHead(503).end();
        return;
      case 'garbage':
        request.socket.end('\u0001\u0002 this is no HTTP\r\n\r\n');
        return;
      case 'slow':
        this.#timers.add(setTimeout(() => !response.destroyed && take(), SLOW_MS));
    }
  }

  #take({ resourceSpans = [], resourceLogs = [] }: Sent): void {
    const spans = resourceSpans.flatMap(({ scopeSpans }) => scopeSpans).flatMap(({ spans }) => spans);
    for (const { traceId } of spans) this.#traces.add(traceId ?? '');
    this.#logs += resourceLogs
      .flatMap(({ scopeLogs }) => scopeLogs)
      .reduce((sum, { logRecords }) => sum + logRecords.length, 0);
  }
}
