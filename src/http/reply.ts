import type { IncomingMessage, ServerResponse } from 'node:http';

/** What a handler answers with: JSON, a page, or nothing but a status. */
export interface Reply {
  readonly status: number;
  readonly json?: unknown;
  readonly text?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The page for a refusal of this status, in place of the JSON envelope. */
export type RefusalPage = (status: number) => Reply;

export const ok = (json: unknown): Reply => ({ status: 200, json });
export const created = (json: unknown): Reply => ({ status: 201, json });
export const noContent: Reply = { status: 204 };

/** Sends the whole answer with one write. Unless a reply says otherwise nothing of it may be stored (RFC 6749 §5.1). */
export function send(req: IncomingMessage, res: ServerResponse, reply: Reply): void {
  if (res.headersSent || res.destroyed) return;
  const body = reply.json === undefined ? (reply.text ?? '') : JSON.stringify(reply.json);
  res.writeHead(reply.status, {
    'cache-control': 'no-store',
    ...(reply.json !== undefined && { 'content-type': 'application/json; charset=utf-8' }),
    ...(reply.status !== 204 && { 'content-length': String(Buffer.byteLength(body)) }),
    ...reply.headers,
  });
  res.end(req.method === 'HEAD' || reply.status === 204 ? undefined : body);
}
