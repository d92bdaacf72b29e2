import net from 'node:net';

/** How long a server may owe an answer on one connection before the connection is given up, whatever it works on. */
const STUCK_AFTER_MS = 15_000;
/** And before it is asked whether it works on one. A network that forgot the connection is then lost for no longer. */
const DOUBTED_AFTER_MS = 2_000;
const LOOK_EVERY_MS = 500;
/** `BackendKeyData` of the protocol: its type, its length, then the process id of the backend. */
const BACKEND_KEY = Buffer.from([0x4b, 0, 0, 0, 12]);

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
/** The same of a connection that was not in use yet: nothing was sent on it. */
const notLetIn = () =>
  Object.assign(new Error('the database does not take the connection'), { code: 'ECONNREFUSED' });

const dead = () =>
  Object.assign(new Error('the database owes an answer for too long'), { code: 'ETIMEDOUT' });

/**
 * Sockets to the database, watched: the driver has no way to notice a peer that vanished without a word (a cut
 * cable, a stopped machine), so a connection on which an answer has been owed for too long is destroyed here; sooner
 * when the server says that it does not work on it. A statement that waits for a lock keeps its connection until then.
 * @param onError called once per connection that could not be made or was lost
 * @param working asks the server which of these backends are at work
 */
export function trackSockets(
  onError: (error: Error) => void,
  working: (pids: readonly number[]) => Promise<ReadonlySet<number>>,
): TrackedSockets {
  const sockets = new Set<net.Socket>();
  const owedSince = new WeakMap<net.Socket, number>();
  const backends = new WeakMap<net.Socket, number>();
  let asking = false;
  let turn = 0;

  const owing = (ms: number) =>
    [...sockets].flatMap((socket) => {
      const since = owedSince.get(socket);
      return since !== undefined && performance.now() - since > ms ? [{ socket, since }] : [];
    });
  const dropIdle = async () => {
    const doubted = owing(DOUBTED_AFTER_MS);
    const pidOf = ({ socket }: { socket: net.Socket }) => backends.get(socket) ?? 0;
    if (asking || doubted.length === 0) return;
    asking = true;
    try {
      const busy = await working(doubted.map(pidOf));
      for (const one of doubted)
        if (!busy.has(pidOf(one)) && owedSince.get(one.socket) === one.since) one.socket.destroy(dead());
    } catch {
      // As long as nobody answers there, another connection would be no better.
    } finally {
      asking = false;
    }
  };
  const timer = setInterval(() => {
    for (const { socket } of owing(STUCK_AFTER_MS)) socket.destroy(dead());
    void dropIdle();
  }, LOOK_EVERY_MS).unref();

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
      socket.on('data', (chunk) => {
        owedSince.delete(socket);
        if (backends.has(socket)) return;
        const at = chunk.indexOf(BACKEND_KEY);
        if (at >= 0 && chunk.length >= at + 9) backends.set(socket, chunk.readInt32BE(at + 5));
      });
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
        if (socket.writableEnded) return;
        // Without an error the driver would try again at once, and again.
        if (backends.has(socket)) tell(endedByServer());
        else socket.destroy(notLetIn());
      });
      const emit = socket.emit.bind(socket) as (...event: unknown[]) => boolean;
      // A statement that the driver is given between `error` and `close` it would never answer. Of a connection in use it
      // therefore hears `close` alone, upon which it fails whatever it has under way.
      socket.emit = (...event: unknown[]) => {
        if (!backends.has(socket)) return emit(...event);
        if (event[0] === 'close') return emit('close', false);
        if (event[0] !== 'error') return emit(...event);
        tell(event[1] as Error);
        return true;
      };
      return socket;
    },
    count: () => sockets.size,
    close: () => clearInterval(timer),
  };
}
