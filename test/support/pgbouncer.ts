import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Fewer than a service has connections of its own, so that its transactions really wander from one to the other. */
export const SERVER_CONNECTIONS = 4;
/** PgBouncer refuses to run as root. */
const NOBODY = 65_534;
const PORT_ATTEMPTS = 5;

export interface PgBouncer {
  readonly port: number;
  /** `url` by way of this PgBouncer. */
  through(url: string): string;
  stop(): Promise<void>;
}

/** A real PgBouncer in transaction mode before the server, for the role, of `serverUrl`; for all its databases. */
export async function startPgBouncer(serverUrl: string): Promise<PgBouncer> {
  const server = new URL(serverUrl);
  const directory = await mkdtemp(join(tmpdir(), 'grantex-pgbouncer-'));
  const asNobody = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  const users = join(directory, 'users.txt');
  const settings = join(directory, 'pgbouncer.ini');
  await writeFile(users, `"${server.username}" "${server.password}"\n`, { mode: 0o600 });
  const start = async (attempt = 1): Promise<PgBouncer> => {
    const port = await freePort();
    await writeFile(settings, settingsFor(server, port, users), { mode: 0o600 });
    if (process.getuid?.() === 0)
      for (const path of [users, settings, directory]) await chown(path, NOBODY, NOBODY);
    await chmod(directory, 0o700);
    const child = spawn('pgbouncer', [settings], { ...asNobody, stdio: ['ignore', 'ignore', 'pipe'] });
    const said: string[] = [];
    const lines = createInterface({ input: child.stderr });
    const ended = once(child, 'close');
    const ready = new Promise<true>((resolve) => {
      lines.on('line', (line) => {
        said.push(line);
        if (line.includes('process up')) resolve(true);
      });
    });
    if (await Promise.race([ready, ended.then(() => false)]))
      return {
        port,
        through(url) {
          const changed = new URL(url);
          changed.port = String(port);
          return changed.href;
        },
        async stop() {
          // At once, whoever is still connected.
          child.kill('SIGTERM');
          await ended;
          await rm(directory, { recursive: true, force: true });
        },
      };
    if (attempt < PORT_ATTEMPTS) return start(attempt + 1);
    await rm(directory, { recursive: true, force: true });
    throw new Error(`pgbouncer does not start: ${said.join('\n')}`);
  };
  return start();
}

/** Debian's defaults where they matter to a client; it knows nothing of prepared statements before version 1.21. */
const settingsFor = (server: URL, port: number, users: string): string => `[databases]
* = host=${server.hostname} port=${server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${users}
pool_mode = transaction
default_pool_size = ${SERVER_CONNECTIONS}
max_client_conn = 1000
`;

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}
