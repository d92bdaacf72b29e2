import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ScrapeHandler } from './scrape.ts';

export interface MetricsServer {
  /** The port it listens on, also when 0 was asked for. */
  readonly port: number;
  /** Stops listening and drops idle connections. */
  close(): Promise<void>;
}

/**
 * Serves `/metrics`, and nothing else, on a port of its own (`METRICS_HOST`, `METRICS_PORT`).
 * @throws when the address cannot be listened on
 */
export async function startMetricsServer(
  handler: ScrapeHandler,
  { host, port }: { host: string; port: number },
): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    if (request.url?.split('?', 1)[0] === '/metrics') return handler(request, response);
    response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('not found\n');
  });
  // Around instrumentation-http, which patches `Server.prototype.emit`: scanners of this port are no requests of the service.
  server.emit = EventEmitter.prototype.emit;
  server.listen(port, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeIdleConnections();
      await closed;
    },
  };
}
