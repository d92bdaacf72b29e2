import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/**
 * A simple TCP load balancer. Each new connection goes to the next target in turn, or to another one when that refuses.
 * With `checkMs` it is as balancers are by default: it tries nobody else, and relies on `/health/ready`, which it asks so often.
 */
export interface Balancer {
  readonly url: string;
  /** Sends new connections to these targets. Existing connections stay. */
  use(...urls: readonly string[]): Promise<void>;
  /** The number of present connections to this target. */
  connections(url: string): number;
  close(): Promise<void>;
}

export async function startBalancer({ checkMs }: { checkMs?: number } = {}): Promise<Balancer> {
  let targets: readonly string[] = [];
  let ready: readonly string[] = [];
  let turn = 0;
  const check = async () => {
    const answers = await Promise.all(
      targets.map(async (url) => ({
        url,
        ok: await fetch(`${url}/health/ready`).then(
          ({ ok }) => ok,
          () => false,
        ),
      })),
    );
    ready = answers.filter(({ ok }) => ok).map(({ url }) => url);
  };
  const checking = checkMs === undefined ? undefined : setInterval(() => void check(), checkMs);
  const candidates = () => (checking ? ready : targets);
  const pairs = new Map<Socket, { readonly far: Socket; readonly url: string }>();

  const lead = (near: Socket, left: readonly string[]) => {
    const [url, ...others] = left;
    if (url === undefined) {
      near.destroy();
      return;
    }
    const { hostname, port } = new URL(url);
    const far = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    far.once('error', () => lead(near, checking ? [] : others));
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
    const all = candidates();
    const first = turn++ % Math.max(1, all.length);
    lead(near, [...all.slice(first), ...all.slice(0, first)]);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async use(...urls) {
      targets = urls;
      await check();
    },
    connections: (url) => [...pairs.values()].filter((pair) => pair.url === url).length,
    async close() {
      clearInterval(checking);
      const closed = once(server, 'close');
      server.close();
      for (const [near, { far }] of pairs) for (const socket of [near, far]) socket.destroy();
      await closed;
    },
  };
}
