import type { Direction } from '../support/cable.ts';
import type { Fault } from './fault.ts';
import { ABSENT, ENDED, LOST, TOO_LONG } from './server-faults.ts';

const MOVED_TO = '127.0.0.2';

const swallowed = (name: string, direction: Direction): Fault => ({
  name,
  callers: 'some',
  lastsMs: 1_000,
  unknown: true,
  // There is no error message: the service itself closes connections that do not answer.
  logged: () => ({ one: [], others: [...LOST, ...ABSENT, ...TOO_LONG, '57P01'] }),
  async begin({ route: { front } }) {
    front.losePackets(direction);
    return { end: () => undefined };
  },
});

/** Faults between the service and its first peer, the server or a pooler. */
export const NETWORK_FAULTS: readonly Fault[] = [
  swallowed('connections swallowed in both directions, new ones pass', 'both'),
  swallowed('what is asked is swallowed, new connections pass', 'asked'),
  swallowed('what is answered is swallowed, new connections pass', 'answered'),
  {
    name: 'everything swallowed, new connections too',
    callers: 'refused',
    unknown: true,
    lastsMs: 3_000,
    logged: () => ({ one: LOST, others: [...TOO_LONG, '57P01'] }),
    async begin({ route: { front } }) {
      await front.set('swallowing');
      return { end: () => front.set('through') };
    },
  },
  {
    name: 'connections cut',
    callers: 'refused',
    unknown: true,
    logged: () => ({ one: [...LOST, ...ABSENT] }),
    async begin({ route: { front } }) {
      await front.set('cut');
      return { end: () => front.set('through') };
    },
  },
  {
    name: 'connections reset',
    callers: 'refused',
    unknown: true,
    logged: () => ({ one: [...LOST, ...ABSENT] }),
    async begin({ route: { front } }) {
      await front.set('reset');
      return { end: () => front.set('through') };
    },
  },
  {
    name: 'connections hang, and go on',
    callers: 'refused',
    unknown: true,
    logged: () => ({ one: [], others: [...LOST, ...ABSENT, ...TOO_LONG, '57P01'] }),
    async begin({ route: { front } }) {
      await front.set('hanging');
      return { end: () => front.set('through') };
    },
  },
  {
    name: 'the pooler loses its server connections to the network',
    on: ({ pooled }) => pooled,
    callers: 'some',
    unknown: true,
    lastsMs: 1_000,
    logged: () => ({ one: [], others: [...LOST, ...ABSENT, ...ENDED, ...TOO_LONG] }),
    async begin({ route: { server } }) {
      server.cable.closeConnections();
      return { end: () => undefined };
    },
  },
  {
    name: 'its name moves to another address',
    callers: 'some',
    byName: true,
    unknown: true,
    lastsMs: 1_000,
    logged: () => ({ one: [...LOST, ...ABSENT] }),
    async begin({ route, names }) {
      const there = await route.frontAt(MOVED_TO);
      await names?.moveTo(MOVED_TO);
      // The old server and its address disappear.
      await route.front.set('refusing');
      return {
        end: () => undefined,
        async after() {
          await there.close();
          await route.front.set('through');
        },
      };
    },
  },
];
