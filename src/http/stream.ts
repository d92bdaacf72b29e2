import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout } from 'node:timers/promises';
import type { Request, Response } from 'express';
import type { Events } from '../telemetry/events.ts';
import { headersOf } from './headers.ts';

/** How long an answer may be silent. Connections that are silent for a minute are closed, by proxies too. */
const SILENT_MS = 10_000;

/**
 * Sends JSON text of any length as its parts come, no faster than the caller reads. A failure before the first part is thrown.
 * A later one cuts the connection, so that no half of a document looks whole, and counts as a status of 500.
 */
export async function sendStream(
  req: Request,
  res: Response,
  parts: AsyncIterable<string>,
  events: Pick<Events, 'requestFailed'>,
): Promise<void> {
  const source = parts[Symbol.asyncIterator]();
  const first = await source.next().catch((error: unknown) => {
    // Whatever stopped because the caller has left is no failure.
    if (!res.destroyed) throw error;
  });
  if (!first || res.destroyed) return;
  const headers = { 'cache-control': 'no-store', 'content-type': 'application/json; charset=utf-8' };
  res.writeHead(200, { ...headersOf(res), ...headers });
  if (req.method === 'HEAD') {
    await source.return?.();
    res.end();
    return;
  }
  let failure: { readonly error: unknown } | undefined;
  async function* whole() {
    try {
      yield first?.value ?? '';
      yield* { [Symbol.asyncIterator]: () => source };
    } catch (error) {
      if (!res.destroyed) failure = { error };
      throw error;
    }
  }
  // One part is read ahead. A part is a page of rows, so memory does not grow with the answer.
  await pipeline(Readable.from(whole(), { highWaterMark: 1 }), res).catch(() => {
    // Where nothing failed here, the caller has left: there is nobody to tell.
    if (failure) events.requestFailed({ error: failure.error, method: req.method, route: req.route?.path });
  });
}

/** Aborted when the caller has left before its answer was sent, or was cut off. */
export function signalOf(res: Response): AbortSignal {
  const leaving = new AbortController();
  const leave = () => {
    if (!res.writableFinished) leaving.abort(new Error('the caller has left'));
  };
  if (res.closed) leave();
  else res.once('close', leave);
  return leaving.signal;
}

/**
 * Waits for a value, and sends blanks meanwhile, which mean nothing between the values of a JSON text (RFC 8259 §2).
 * @returns what `work` resolves to
 */
export async function* blanksUntil<T>(work: Promise<T>, silentMs = SILENT_MS): AsyncGenerator<string, T> {
  const waiting = new AbortController();
  const ended = work.finally(() => waiting.abort());
  // A failure is thrown below, where it is awaited.
  ended.catch(() => undefined);
  while (!waiting.signal.aborted) {
    // The end of the work ends the pause early.
    await setTimeout(silentMs, undefined, { signal: waiting.signal }).catch(() => undefined);
    if (!waiting.signal.aborted) yield ' ';
  }
  return await ended;
}
