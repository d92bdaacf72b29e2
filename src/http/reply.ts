import type { IncomingMessage } from 'node:http';
import type { Response } from 'express';
import type { ServiceError } from '../errors.ts';
import { done, mapOutcome, type Outcome } from '../outcome.ts';
import { type Headers, headersOf } from './headers.ts';

/** What a handler answers with: JSON, a page, or nothing but a status. */
export interface Reply {
  readonly status: number;
  readonly json?: unknown;
  readonly text?: string | Buffer;
  /** JSON text of any length, in parts that are sent as they come. Only of an endpoint with `long`. */
  readonly parts?: AsyncIterable<string>;
  readonly headers?: Readonly<Headers>;
  /**
   * Answers later, or goes on answering; HEAD gets the rest of this reply. For deadline, shutdown and measurements the request
   * is over when it is called. Before it has sent anything it may throw a refusal.
   */
  readonly takeOver?: (req: IncomingMessage, res: Response) => void | Promise<void>;
  /** `takeOver` waits before it answers: the request has the status of that answer, which may be another than this one's. */
  readonly waits?: true;
}

/** What stands in place of the JSON envelope of a refusal: a page, or another form of error. */
export type RefusalPage = (status: number, refusal: ServiceError) => Reply;

const unchanged = (value: unknown): unknown => value;
/** Answers with the value of an outcome as `view` shows it. */
export const ok = <T>(outcome: Outcome<T>, view: (value: T) => unknown = unchanged): Outcome<Reply> =>
  mapOutcome(outcome, (value) => ({ status: 200, json: view(value) }));
export const created = <T>(outcome: Outcome<T>, view: (value: T) => unknown = unchanged): Outcome<Reply> =>
  mapOutcome(outcome, (value) => ({ status: 201, json: view(value) }));
export const noContent = (outcome: Outcome<unknown>): Outcome<Reply> =>
  mapOutcome(outcome, () => ({ status: 204 }));
/** Answers with JSON text that is written as it is read. */
export const streamed = (parts: AsyncIterable<string>): Outcome<Reply> => done({ status: 200, parts });
/** A whole HTML document. */
export const htmlPage = (status: number, text: string): Reply => ({
  status,
  text,
  headers: { 'content-type': 'text/html; charset=utf-8' },
});

const BODILESS = new Set([204, 304]);

/** Sends the whole answer with one write. Unless a reply says otherwise nothing of it may be stored (RFC 6749 §5.1). */
export function send(req: IncomingMessage, res: Response, reply: Reply): void {
  if (res.headersSent || res.destroyed) return;
  const headers = headersOf(res);
  headers['cache-control'] = 'no-store';
  if (BODILESS.has(reply.status)) {
    res.writeHead(reply.status, Object.assign(headers, reply.headers)).end();
    return;
  }
  const isJson = reply.json !== undefined;
  const body = isJson ? JSON.stringify(reply.json) : (reply.text ?? '');
  if (isJson) headers['content-type'] = 'application/json; charset=utf-8';
  headers['content-length'] = String(Buffer.byteLength(body));
  res.writeHead(reply.status, Object.assign(headers, reply.headers));
  res.end(req.method === 'HEAD' ? undefined : body);
}
