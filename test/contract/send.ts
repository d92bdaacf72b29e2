import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { PATIENCE_MS } from '../support/child.ts';
import type { Answer } from '../support/service.ts';

/** A request as it goes out: nothing of it is made tidy on the way, as `fetch` would. */
export interface Outgoing {
  readonly method: string;
  /** With the query; visible Latin-1. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

export interface Sender {
  send(outgoing: Outgoing): Promise<Answer>;
  close(): void;
}

/** Sends on a few kept connections. */
export function createSender(base: string, connections: number): Sender {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const { hostname, port } = new URL(base);
  return {
    send: ({ method, path, headers, body }) =>
      new Promise((resolve, reject) => {
        const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
        const outgoing = request({
          hostname,
          port,
          agent,
          method,
          path,
          headers: { ...headers, ...length },
          timeout: PATIENCE_MS,
        });
        outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer: ${method} ${path}`)));
        outgoing.on('error', reject);
        outgoing.on('response', (response) => {
          text(response).then((of) => {
            const answerHeaders = new Headers();
            for (const [name, values] of Object.entries(response.headersDistinct))
              for (const value of values ?? []) answerHeaders.append(name, value);
            const isJson = answerHeaders.get('content-type')?.startsWith('application/json');
            resolve({
              status: response.statusCode ?? 0,
              body: isJson ? JSON.parse(of) : of,
              headers: answerHeaders,
            });
          }, reject);
        });
        outgoing.end(body);
      }),
    close: () => agent.destroy(),
  };
}
