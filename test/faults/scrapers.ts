import { connect } from 'node:net';
import { Client, type Reply } from './client.ts';

export interface Scrapers {
  /** What each of them has been answered so far, oldest first. */
  readonly seen: readonly (readonly Reply[])[];
  stop(): Promise<void>;
}

/** So many scrapers at once; each asks again as soon as it has its answer. */
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

/** Clients that ask for so much that no buffer takes it, and never read a byte of it. Returns how to end them. */
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
