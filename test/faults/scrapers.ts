import { connect } from 'node:net';
import { Client, type Reply } from './client.ts';

export interface Scrapers {
  /** The answers to each scraper so far, oldest first. */
  readonly seen: readonly (readonly Reply[])[];
  stop(): Promise<void>;
}

/** Starts concurrent scrapers. Each scrapes again as soon as it has its answer. */
export function startScrapers(url: string, count: number): Scrapers {
  const seen = Array.from({ length: count }, (): Reply[] => []);
  let stopping = false;
  const all = Promise.all(
    seen.map(async (own) => {
      const client = new Client(url);
      while (!stopping) own.push(await client.send({ method: 'GET', path: '/metrics' }));
      client.close();
    }),
  );
  return {
    seen,
    async stop() {
      stopping = true;
      await all;
    },
  };
}

/** Starts clients that request more than the buffers can hold and never read it. @returns a function that ends them */
export function startDeafScrapers(url: string, count: number): () => void {
  const { hostname, port } = new URL(url);
  const sockets = Array.from({ length: count }, () => {
    const socket = connect(Number(port), hostname).pause();
    socket.on('error', () => undefined);
    socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(500));
    return socket;
  });
  return () => {
    for (const socket of sockets) socket.destroy();
  };
}
