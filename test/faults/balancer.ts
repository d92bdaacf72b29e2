import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/**
 * A simple TCP load balancer. Each new connection goes to the next target in turn, or to another one when that refuses.
 */
export interface Balancer {
  readonly url: string;
  /** Sends new connections to these targets. Existing connections stay. */
  use(...urls: readonly string[]): void;
  /** The number of present connections to this target. */
  connections(url: string): number;
  close(): Promise<void>;
}

export async function startBalancer(): Promise<Balancer> {
  let targets: readonly string[] = [];
  let turn = 0;
  const pairs = new Map<Socket, { readonly far: Socket; readonly url: string }>();

  const lead = (near: Socket, left: readonly string[]) => {
    const [url, ...others] = left;
    if (url === undefined) {
      near.destroy();
      return;
    }
    const { hostname, port } = new URL(url);
    const far = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    far.once('error', () => lead(near, others));
    far.once('connect', () => {
      far.removeAllListeners('error');
      pairs.set(near, { far, url });
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        from.on('error', () => to.destroy());
        from.on('close', () => {
          to.destroy();
          pairs.delete(near);
        });
        from.pipe(to);
      }
    });
  };
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (near) => {
    near.on('error', () => near.destroy());
    const first = turn++ % Math.max(1, targets.length);
    lead(near, [...targets.slice(first), ...targets.slice(0, first)]);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    use(...urls) {
      targets = urls;
    },
    connections: (url) => [...pairs.values()].filter((pair) => pair.url === url).length,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const [near, { far }] of pairs) for (const socket of [near, far]) socket.destroy();
      await closed;
    },
  };
}
