import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { MetricReader } from '@opentelemetry/sdk-metrics';
import { within } from '../src/within.ts';
import { renderExposition } from './exposition.ts';

export interface ScrapeOptions {
  readonly reader: Pick<MetricReader, 'collect'>;
  /** Demanded as a Bearer token; null: open. */
  readonly apiKey: string | null;
  /** Called for every failure to read or write metrics. */
  readonly onError: (error: unknown) => void;
  /** Longest time until the answer, milliseconds. */
  readonly deadlineMs?: number;
  /** Longest time for one observable callback, milliseconds; less than the deadline. */
  readonly callbackMs?: number;
  /** How long a client may read nothing of its answer before it is disconnected, milliseconds. */
  readonly stalledMs?: number;
}

export type ScrapeHandler = (request: IncomingMessage, response: ServerResponse) => void;

export interface Scrape {
  /** Answers `GET /metrics`, whatever the path. Never throws. */
  readonly handler: ScrapeHandler;
  /** From now on 503: a scrape that found nothing must not look like a service that lost its counters. */
  close(): void;
}

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/**
 * The scrape handler (telemetry contract). The exporter's own has no deadline, runs every callback once per concurrent
 * scrape, leaves the response open when writing fails, and answers 200 with nothing after shutdown.
 */
export function createScrape(options: ScrapeOptions): Scrape {
  const { reader, apiKey, onError, deadlineMs = 1000, callbackMs = 600, stalledMs = 10_000 } = options;
  const authorized = bearer(apiKey);
  let closed = false;
  // Bytes, so that all scrapes of one collection share one copy, slow readers included.
  let flight: Promise<Buffer> | undefined;
  let last: Buffer | undefined;

  const collect = async () => {
    // A collection usually ends within one callback of the event loop. Without this turn, each of fifty scrapes that arrive
    // together would collect separately, and all other requests would wait for the fifty.
    await nextTurn();
    const { resourceMetrics, errors } = await reader.collect({ timeoutMillis: callbackMs });
    for (const error of errors) onError(error);
    last = Buffer.from(await renderExposition(resourceMetrics));
    return last;
  };
  const current = () => {
    flight ??= collect().finally(() => {
      flight = undefined;
    });
    return flight;
  };

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    if (!authorized(request))
      return send(request, response, 401, 'unauthorized\n', { 'www-authenticate': 'Bearer' });
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return send(request, response, 405, 'method not allowed\n', { allow: 'GET, HEAD' });
    if (closed) return send(request, response, 503, 'shutting down\n');
    try {
      // A collection that takes longer goes on, and the next scrape joins it.
      const exposition = (await within(deadlineMs, current())) ?? last;
      if (exposition === undefined) return send(request, response, 503, 'metrics are not ready\n');
      response.setTimeout(stalledMs, () => response.destroy());
      send(request, response, 200, exposition, { 'content-type': CONTENT_TYPE });
    } catch (error) {
      onError(error);
      send(request, response, 500, 'metrics could not be written\n');
    }
  };

  return {
    handler: (request, response) => void answer(request, response),
    close() {
      closed = true;
    },
  };
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  text: string | Buffer,
  headers: Record<string, string> = {},
): void {
  const body = typeof text === 'string' ? Buffer.from(text) : text;
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': body.length,
    'cache-control': 'no-store',
    ...headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** Digests have one length, so the comparison tells nothing about the key's. */
function bearer(apiKey: string | null): (request: IncomingMessage) => boolean {
  if (apiKey === null) return () => true;
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const expected = digest(apiKey);
  return ({ headers }) => {
    const token = /^Bearer +(\S.*)$/i.exec(headers.authorization ?? '')?.[1];
    return token !== undefined && timingSafeEqual(digest(token), expected);
  };
}
