import { expect } from 'vitest';
import type { Fault } from './fault.ts';

/**
 * The error codes of the system and the driver for a lost connection. A server that ends a session sends 57P01 (by an
 * administrator), 57P02 (after a crash) or nothing. PgBouncer then sends 08P01 to its client.
 */
export const LOST = ['CONNECTION_CLOSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT'];
/** No server listens, or it does not answer. */
export const ABSENT = ['ECONNREFUSED', 'ECONNRESET', 'CONNECTION_CLOSED', 'ETIMEDOUT'];
export const ENDED = ['57P01', '57P02', '57P03', '08P01'];
/** The server ended what stood still for too long: a statement, a transaction whose client is silent, a whole transaction. */
export const TOO_LONG = ['57014', '25P03', '25P04'];

const repeatedly = (everyMs: number, work: () => Promise<unknown>): (() => Promise<void>) => {
  let over = false;
  const running = (async () => {
    while (!over) {
      await work();
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  })();
  return () => {
    over = true;
    return running;
  };
};

/** Faults of the server itself: it ends, stands still, or ends sessions. */
export const SERVER_FAULTS: readonly Fault[] = [
  {
    name: 'backends terminated, idle',
    callers: 'none',
    quiet: true,
    // A pooler replaces its idle server connections, and no client notices.
    logged: ({ pooled }) => (pooled ? { one: [] } : { one: ['57P01', ...LOST] }),
    async begin({ route, database, service }) {
      const terminated = await route.server.terminate(database);
      expect(terminated).toBeGreaterThan(0);
      // The service rightly refuses requests that it sends before the end of the connection arrives.
      if (route.way.pooled) await route.poolerHasNone(database);
      else await service.logged('database.connection_error', terminated);
      return { end: () => undefined };
    },
  },
  {
    name: 'backends terminated under load, again and again',
    callers: 'some',
    unknown: 'behind a pooler',
    lastsMs: 2_000,
    logged: ({ pooled }) => (pooled ? { one: ['57P01', '08P01', ...LOST] } : { one: ['57P01', ...LOST] }),
    async begin({ route, database }) {
      return { end: repeatedly(40, () => route.server.terminate(database)) };
    },
  },
  {
    name: 'killed and restarted',
    callers: 'refused',
    unknown: true,
    logged: () => ({ one: [...LOST, ...ABSENT, ...ENDED] }),
    async begin({ route: { server } }) {
      await server.kill();
      return { end: () => server.restart() };
    },
  },
  {
    name: 'one process killed, recovers alone',
    callers: 'some',
    unknown: true,
    logged: () => ({ one: [...LOST, ...ENDED] }),
    async begin({ route: { server }, database }) {
      await server.killBackend(database);
      return { end: () => server.answers() };
    },
  },
  {
    name: 'shut down in order (57P03)',
    callers: 'refused',
    unknown: 'behind a pooler',
    lastsMs: 2_000,
    logged: ({ pooled }) =>
      pooled
        ? { one: ['57P03', '08P01'], others: ['57P01', ...LOST] }
        : { one: ['57P03'], others: ['57P01', ...LOST] },
    async begin({ route: { server }, database }) {
      await server.refuseAsShuttingDown();
      await server.terminate(database);
      return { end: () => server.restart() };
    },
  },
  {
    name: 'frozen (SIGSTOP)',
    callers: 'refused',
    unknown: true,
    logged: () => ({ one: [], others: [...LOST, ...ABSENT, ...ENDED, ...TOO_LONG] }),
    async begin({ route: { server } }) {
      server.freeze();
      return { end: () => server.thaw() };
    },
  },
  {
    name: 'read-only by its settings (25006)',
    callers: 'refused',
    lastsMs: 1_000,
    logged: () => ({ one: ['25006'] }),
    async begin({ route: { server } }) {
      await server.set('default_transaction_read_only', 'on');
      return { end: () => server.set('default_transaction_read_only', null) };
    },
  },
  {
    name: 'a standby under the same name for 4 s (25006)',
    callers: 'refused',
    lastsMs: 4_000,
    unknown: true,
    logged: () => ({ one: ['25006'], others: [...LOST, ...ENDED] }),
    async begin({ route: { server, way } }) {
      const standby = await server.standby();
      server.cable.redirectTo(standby.port);
      server.cable.closeConnections();
      return {
        end() {
          server.cable.redirectTo(server.port);
          // A pooler keeps its connections for an hour, so a move of the server's address must close them.
          if (way.pooled) server.cable.closeConnections();
        },
        async proof() {
          expect(await standby.sessions()).toBe(0);
        },
        after: () => standby.end(),
      };
    },
  },
  {
    name: 'disk full (53100)',
    callers: 'refused',
    onSmallDisk: true,
    lastsMs: 1_000,
    logged: () => ({ one: [] }),
    async begin({ disk }) {
      await disk?.fill();
      return { end: () => disk?.empty() };
    },
  },
];
