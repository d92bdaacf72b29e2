import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import { within } from '../within.ts';
import { type Answers, closeAfter } from './answers.ts';

/** At the end, how long a kept connection may stay silent before it is closed without a last answer. */
const IDLE_GRACE_MS = 500;
/** At the end, how long a scrape under way may take: its own deadline. */
const SCRAPE_MS = 1000;

export interface Drain {
  /** From now on every answer is the last one on its connection, so that kept ones move to other replicas. */
  retire(): void;
  /**
   * Takes no new connections, lets requests under way finish, and resolves when the last one has. Connections whose latest
   * request was a scrape stay open, and their scrapes are answered.
   */
  drain(): Promise<void>;
  /** Cuts what is still open, but for the connections of scrapes. */
  cut(): void;
  /** Ends the connections of scrapes too, after one that is under way. */
  close(): Promise<void>;
}

interface DrainOptions {
  readonly server: Server;
  readonly connections: ReadonlySet<Socket>;
  readonly answers: Answers;
  readonly isScrape: (url: string | undefined) => boolean;
}

/** The ordered end of a server's connections. */
export function createDrain({ server, connections, answers, isScrape }: DrainOptions): Drain {
  let retiring = false;
  let draining = false;
  const scrapers = new WeakSet<Socket>();
  /** What a connection had read when its last answer ended: more than that is the beginning of another request. */
  const readBefore = new WeakMap<Socket, number>();
  const isIdle = (socket: Socket) =>
    answers.first(socket) === undefined && socket.bytesRead === (readBefore.get(socket) ?? 0);
  const others = () => [...connections].filter((socket) => !scrapers.has(socket));

  server.on('request', ({ socket, url }: IncomingMessage, response: ServerResponse) => {
    const scrape = isScrape(url);
    // The end waits for the connections that were not of scrapes when it began: they must not become such.
    if (!draining && scrape) scrapers.add(socket);
    else if (!draining) scrapers.delete(socket);
    if (retiring && !(scrape && scrapers.has(socket))) closeAfter(response);
    response.once('close', () => readBefore.set(socket, socket.bytesRead));
  });
  const retire = () => {
    retiring = true;
    for (const socket of others()) closeAfter(answers.last(socket));
  };
  return {
    retire,
    async drain() {
      retire();
      draining = true;
      const ended = Promise.all(others().map(closed));
      // `http.Server.close` would cut idle connections at once, and lose requests that are on their way on them.
      NetServer.prototype.close.call(server);
      setTimeout(() => {
        for (const socket of others()) if (isIdle(socket)) socket.destroy();
      }, IDLE_GRACE_MS);
      await ended;
    },
    cut() {
      for (const socket of others()) socket.destroy();
    },
    async close() {
      for (const socket of connections)
        if (answers.first(socket)) closeAfter(answers.last(socket));
        else socket.destroy();
      await within(SCRAPE_MS, Promise.all([...connections].map(closed)));
      server.closeAllConnections();
    },
  };
}

const closed = (socket: Socket) => new Promise<void>((resolve) => void socket.once('close', () => resolve()));
