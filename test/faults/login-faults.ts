import type { Fault, Logged, Scene } from './fault.ts';
import { LOST } from './server-faults.ts';
import type { Way } from './ways.ts';

/** A pooler passes on the error of its server, or reports a failed login (08P01). */
const refusedWith =
  (code: string) =>
  ({ pooled }: Way): Logged =>
    pooled
      ? { one: [code, '08P01'], others: ['57P01', ...LOST] }
      : { one: [code], others: ['57P01', ...LOST] };

const refuseFresh =
  (change: string, back: (scene: Scene) => string, terminate: boolean) => async (scene: Scene) => {
    const { server } = scene.route;
    await server.alterRole(change);
    if (terminate) await server.terminate(scene.database);
    return { end: () => server.alterRole(back(scene)) };
  };

const oldPassword = ({ route }: Scene) => `password '${route.server.rolePassword}'`;

/** Open connections stay, and new ones are refused. */
export const LOGIN_FAULTS: readonly Fault[] = [
  {
    name: 'too many connections (53300)',
    callers: 'refused',
    unknown: 'behind a pooler',
    lastsMs: 2_000,
    logged: refusedWith('53300'),
    begin: refuseFresh('connection limit 0', () => 'connection limit -1', true),
  },
  {
    name: 'password rotated, old connections ended (28P01)',
    callers: 'refused',
    unknown: 'behind a pooler',
    lastsMs: 2_000,
    logged: refusedWith('28P01'),
    begin: refuseFresh("password 'rotated'", oldPassword, true),
  },
  {
    name: 'password rotated, old connections go on',
    callers: 'none',
    lastsMs: 1_000,
    logged: (way) => ({ one: [], others: [...refusedWith('28P01')(way).one] }),
    begin: refuseFresh("password 'rotated'", oldPassword, false),
  },
  {
    name: 'PgBouncer asks no server again that refused it (server_login_retry)',
    on: ({ pooled }) => pooled,
    callers: 'refused',
    lastsMs: 3_000,
    unknown: true,
    logged: () => ({ one: ['08P01', ...LOST], others: ['57P01'] }),
    async begin({ route: { server } }) {
      await server.cable.set('refusing');
      return { end: () => server.cable.set('through') };
    },
  },
];
