import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import type { MetricReader, ResourceMetrics } from '@opentelemetry/sdk-metrics';
import { within } from '../src/within.ts';
import type { Exposition } from './exposition.ts';
import { negotiate, type Variant } from './negotiate.ts';

export interface ScrapeOptions {
  readonly reader: Pick<MetricReader, 'collect'>;
  readonly exposition: Exposition;
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
  /** Monotonic clock in milliseconds. */
  readonly now?: () => number;
}

export type ScrapeHandler = (request: IncomingMessage, response: ServerResponse) => void;

export interface Scrape {
  /** Answers `GET /metrics`, whatever the path. Never throws. */
  readonly handler: ScrapeHandler;
  /** What a scrape would show now, as text of version 0.0.4. @throws when it cannot be read or written */
  read(): Promise<string>;
  /** From now on 503: a scrape that found nothing must not look like a service that lost its counters. */
  close(): void;
}

const CONTENT_TYPES = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
} as const;

/** Gauges that are older are not told any more (telemetry contract), and so no exposition either. */
const LONGEST_KNOWN_MS = 30_000;

/** What one collection found, written out once for each variant that is asked for. */
interface Collection {
  readonly at: number;
  body(variant: Variant): Promise<Buffer>;
}

const compress = promisify(gzip);

/**
 * The scrape handler (telemetry contract). The exporter's own has no deadline, runs every callback once per concurrent
 * scrape, leaves the response open when writing fails, and answers 200 with nothing after shutdown.
 */
export function createScrape(options: ScrapeOptions): Scrape {
  const { reader, exposition, apiKey, onError } = options;
  const { deadlineMs = 1000, callbackMs = 600, stalledMs = 10_000, now = () => performance.now() } = options;
  const authorized = bearer(apiKey);
  let closed = false;
  let flight: Promise<Collection> | undefined;
  let last: Collection | undefined;

  const collect = async () => {
    // A collection usually ends within one callback of the event loop. Without this turn, each of fifty scrapes that arrive
    // together would collect separately, and all other requests would wait for the fifty.
    await nextTurn();
    const { resourceMetrics, errors } = await reader.collect({ timeoutMillis: callbackMs });
    for (const error of errors) onError(error);
    return writtenOnce(exposition, resourceMetrics, now());
  };
  const current = async (variant: Variant) => {
    flight ??= collect();
    const mine = flight;
    try {
      const collection = await mine;
      const body = await collection.body(variant);
      last = collection;
      return body;
    } finally {
      // Scrapes that arrive while it is written share the collection, too.
      if (flight === mine) flight = undefined;
    }
  };
  const lastKnown = (variant: Variant) =>
    last !== undefined && now() - last.at <= LONGEST_KNOWN_MS ? last.body(variant) : undefined;

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    if (!authorized(request))
      return send(request, response, 401, 'unauthorized\n', { 'www-authenticate': 'Bearer' });
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return send(request, response, 405, 'method not allowed\n', { allow: 'GET, HEAD' });
    if (closed) return send(request, response, 503, 'shutting down\n');
    try {
      // A collection that takes longer goes on, and the next scrape joins it.
      const variant = negotiate(request.headers);
      const body = (await within(deadlineMs, current(variant))) ?? (await lastKnown(variant));
      if (body === undefined) return send(request, response, 503, 'metrics are not ready\n');
      response.setTimeout(stalledMs, () => response.destroy());
      send(request, response, 200, body, {
        'content-type': CONTENT_TYPES[variant.format],
        ...(variant.gzip && { 'content-encoding': 'gzip' }),
        vary: 'Accept, Accept-Encoding',
      });
    } catch (error) {
      onError(error);
      send(request, response, 500, 'metrics could not be written\n');
    }
  };

  return {
    handler: (request, response) => void answer(request, response),
    read: async () => (await current({ format: 'text', gzip: false })).toString(),
    close() {
      closed = true;
    },
  };
}

/** Bytes, so that all scrapes of one collection share one copy of each variant, slow readers included. */
function writtenOnce(exposition: Exposition, collected: ResourceMetrics, at: number): Collection {
  const bodies = new Map<string, Promise<Buffer>>();
  const once = (name: string, write: () => Promise<Buffer>): Promise<Buffer> => {
    const body = bodies.get(name) ?? write();
    bodies.set(name, body);
    return body;
  };
  const plain = (format: Variant['format']) =>
    once(format, async () => Buffer.from(await exposition.write(collected, format)));
  return {
    at,
    body: ({ format, gzip: compressed }) =>
      compressed
        ? // In the thread pool. Higher levels cost several times as much, and save a tenth of the bytes.
          once(`${format} gzip`, async () => compress(await plain(format), { level: constants.Z_BEST_SPEED }))
        : plain(format),
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
