import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import postgres from 'postgres';

/** Fewer than a service has connections of its own, so that its transactions really wander from one to the other. */
export const SERVER_CONNECTIONS = 4;
/** PgBouncer refuses to run as root. */
const NOBODY = 65_534;
const PORT_ATTEMPTS = 5;

export interface PgBouncer {
  readonly port: number;
  /** It has not ended by itself. */
  readonly running: boolean;
  /** What `SHOW CLIENTS` has of one database's, without our own. */
  clients(database: string): Promise<PooledClient[]>;
  /** What `SHOW SERVERS` has for one database: its connections to the server. */
  servers(database: string): Promise<PooledClient[]>;
  /** `url` by way of this PgBouncer. */
  through(url: string): string;
  stop(): Promise<void>;
}

/** A line of `SHOW CLIENTS` or `SHOW SERVERS`. */
export interface PooledClient {
  readonly database: string;
  readonly state: string;
  /** The version and cipher, or empty. */
  readonly tls: string;
}

/** PEM: what a server shows, and the authority that it believes. */
export interface ServerTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export interface PgBouncerOptions {
  readonly tls?: ServerTls;
  /** For how long it does not ask a server again that refused it; PgBouncer's own default is 15. */
  readonly loginRetrySeconds?: number;
}

/** A real PgBouncer in transaction mode before the server, for the role, of `serverUrl`; for all its databases. */
export async function startPgBouncer(serverUrl: string, options: PgBouncerOptions = {}): Promise<PgBouncer> {
  const server = new URL(serverUrl);
  const directory = await mkdtemp(join(tmpdir(), 'grantex-pgbouncer-'));
  const asNobody = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  const users = join(directory, 'users.txt');
  const settings = join(directory, 'pgbouncer.ini');
  await writeFile(users, `"${server.username}" "${server.password}"\n`, { mode: 0o600 });
  const own = {
    ca: join(directory, 'ca.pem'),
    cert: join(directory, 'cert.pem'),
    key: join(directory, 'key.pem'),
  };
  const pem = Object.entries(options.tls ?? {}) as [keyof ServerTls, string][];
  for (const [name, text] of pem) await writeFile(own[name], text, { mode: 0o600 });
  const start = async (attempt = 1): Promise<PgBouncer> => {
    const port = await freePort();
    await writeFile(settings, settingsFor(server, port, users, options, own), { mode: 0o600 });
    if (process.getuid?.() === 0)
      for (const path of [users, settings, ...pem.map(([name]) => own[name]), directory])
        await chown(path, NOBODY, NOBODY);
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
    let stopping = false;
    const over = false;
    if (await Promise.race([ready, ended.then(() => false)])) {
      void ended.then(([code, signal]) => {
        if (!stopping)
          process.stderr.write(`pgbouncer ended with ${signal ?? code}: ${said.slice(-20).join('\n')}\n`);
      });
      return {
        port,
        through(url) {
          const changed = new URL(url);
          changed.port = String(port);
          return changed.href;
        },
        get running() {
          return !over;
        },
        clients: (database) => connectionsOf(server, port, 'clients', database),
        servers: (database) => connectionsOf(server, port, 'servers', database),
        async stop() {
          stopping = true;
          // At once, whoever is still connected.
          child.kill('SIGTERM');
          await ended;
          await rm(directory, { recursive: true, force: true });
        },
      };
    }
    if (attempt < PORT_ATTEMPTS) return start(attempt + 1);
    await rm(directory, { recursive: true, force: true });
    throw new Error(`pgbouncer does not start: ${said.join('\n')}`);
  };
  return start();
}

/** Debian's defaults where they matter to a client; it knows nothing of prepared statements before version 1.21. */
const settingsFor = (
  server: URL,
  port: number,
  users: string,
  { tls, loginRetrySeconds = 15 }: PgBouncerOptions,
  files: ServerTls,
): string => `[databases]
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
server_login_retry = ${loginRetrySeconds}
stats_users = ${server.username}
${tls ? tlsSettings(files) : ''}`;

const tlsSettings = ({ ca, cert, key }: ServerTls) => `client_tls_sslmode = require
client_tls_cert_file = ${cert}
client_tls_key_file = ${key}
server_tls_sslmode = verify-full
server_tls_ca_file = ${ca}
`;

/** Its console understands nothing but simple queries. */
async function connectionsOf(
  server: URL,
  port: number,
  side: 'clients' | 'servers',
  database: string,
): Promise<PooledClient[]> {
  const { username, password } = server;
  const console = postgres({
    host: '127.0.0.1',
    port,
    username,
    password,
    database: 'pgbouncer',
    max: 1,
    fetch_types: false,
    // Where it has TLS it wants it; whose certificate it shows is not what is asked here.
    ssl: 'prefer',
  });
  try {
    const rows = Array.from(await console.unsafe(`show ${side}`).simple()) as unknown as PooledClient[];
    return rows.filter((one) => one.database === database);
  } finally {
    await console.end({ timeout: 1 });
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}
