import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isMetrics } from '../src/origin-form.ts';
import { within } from '../src/within.ts';
import { leaveUnmeasured } from './http.ts';
import type { ScrapeHandler } from './scrape.ts';

/** At the end, how long a scrape under way may take: its own deadline. */
const SCRAPE_MS = 1000;
/** Connections at once. Scrapers are few; whoever else reaches the port must not take the service's file descriptors. */
export const MAX_SCRAPERS = 100;
/** How long a caller may take to ask. Silent ones then leave their places to scrapers. */
const HEADERS_MS = 5_000;

export interface MetricsServer {
  /** The port it listens on, also when 0 was asked for. */
  readonly port: number;
  /** Stops listening, lets a scrape under way end within `graceMs`, and cuts what is still open, silent callers too. */
  close(graceMs: number): Promise<void>;
}

/**
 * Serves only `/metrics`, on a separate port (`METRICS_HOST`, `METRICS_PORT`). Connections beyond `MAX_SCRAPERS` are closed, and
 * so are those that have not asked within `headersMs`.
 * @throws when the address cannot be listened on
 */
export async function startMetricsServer(
  handler: ScrapeHandler,
  { host, port, headersMs = HEADERS_MS }: { host: string; port: number; headersMs?: number },
): Promise<MetricsServer> {
  let closing = false;
  const timeouts = { headersTimeout: headersMs, connectionsCheckingInterval: headersMs / 5 };
  const server = createServer(timeouts, (request, response) => {
    // After the last answer the caller would keep the connection open.
    response.once('close', () => closing && server.closeIdleConnections());
    if (isMetrics(request.url)) return handler(request, response);
    response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('not found\n');
  });
  // Requests to this port are not requests of the service.
  leaveUnmeasured(server);
  server.maxConnections = MAX_SCRAPERS;
  server.listen(port, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close(graceMs) {
      closing = true;
      const closed = once(server, 'close');
      // `close` drops idle connections, but not those without a first request.
      server.close();
      await within(Math.min(graceMs, SCRAPE_MS), closed);
      server.closeAllConnections();
      await closed;
    },
  };
}
