import net from 'node:net';

/** How long a server may owe an answer on one connection before the connection is given up as dead. */
const STUCK_AFTER_MS = 15_000;

export interface TrackedSockets {
  /** Opens a socket for the driver; it may be written to before it is connected. */
  open(target: { host: readonly string[]; port: readonly number[]; path?: string | false }): net.Socket;
  /** Connections that are established now. */
  count(): number;
  close(): void;
}

/** A server that stops, or that ends one connection, does so without an error. */
const endedByServer = () =>
  Object.assign(new Error('the database ended the connection'), { code: 'CONNECTION_CLOSED' });

/**
 * Sockets to the database, watched: the driver has no way to notice a peer that vanished without a word (a cut
 * cable, a stopped machine), so a connection on which an answer has been owed for too long is destroyed here.
 * @param onError called once per connection that could not be made or was lost
 */
export function trackSockets(onError: (error: Error) => void): TrackedSockets {
  const sockets = new Set<net.Socket>();
  const owedSince = new WeakMap<net.Socket, number>();
  let turn = 0;

  const timer = setInterval(() => {
    for (const socket of sockets) {
      const since = owedSince.get(socket);
      if (since !== undefined && performance.now() - since > STUCK_AFTER_MS)
        socket.destroy(
          Object.assign(new Error('the database owes an answer for too long'), { code: 'ETIMEDOUT' }),
        );
    }
  }, 1000).unref();

  return {
    open({ host, port, path }) {
      const index = turn++ % host.length;
      const socket = net.connect(
        path ? { path } : { host: host[index] ?? 'localhost', port: port[index] ?? 5432, noDelay: true },
      );
      // The driver reads `host` for the TLS server name.
      Object.assign(socket, { host: host[index], port: port[index] });
      const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
      socket.write = (...args: unknown[]) => {
        if (!owedSince.has(socket)) owedSince.set(socket, performance.now());
        return write(...args);
      };
      socket.on('data', () => owedSince.delete(socket));
      socket.on('connect', () => sockets.add(socket));
      socket.on('close', () => sockets.delete(socket));
      let told = false;
      const tell = (error: Error) => {
        if (!told) onError(error);
        told = true;
      };
      socket.on('error', tell);
      // Before the socket's own listener, which answers the end with ours.
      socket.prependListener('end', () => {
        if (!socket.writableEnded) tell(endedByServer());
      });
      return socket;
    },
    count: () => sockets.size,
    close: () => clearInterval(timer),
  };
}
