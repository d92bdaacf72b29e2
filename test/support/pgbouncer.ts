import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import postgres from 'postgres';

/** Fewer than the connections of a service, so that its transactions really move between server connections. */
export const SERVER_CONNECTIONS = 4;
/** PgBouncer refuses to run as root. */
const NOBODY = 65_534;
const PORT_ATTEMPTS = 5;

export interface PgBouncer {
  readonly port: number;
  /** Whether it still runs. */
  readonly running: boolean;
  /** The clients of one database by `SHOW CLIENTS`, without the connection of this query. */
  clients(database: string): Promise<PooledClient[]>;
  /** The connections to the server for one database, by `SHOW SERVERS`. */
  servers(database: string): Promise<PooledClient[]>;
  /** `url`, changed to lead through this PgBouncer. */
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

/** The certificate of a server and the authority that it trusts, as PEM. */
export interface ServerTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export interface PgBouncerOptions {
  readonly tls?: ServerTls;
  /** How long PgBouncer waits before it connects again to a server that refused a login. Its own default is 15. */
  readonly loginRetrySeconds?: number;
}

/** Starts a real PgBouncer in transaction mode for the server and role of `serverUrl`, with all databases. */
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
          // SIGTERM ends it at once, even with connected clients.
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

/** Debian's defaults where they matter to a client. Versions before 1.21 do not support prepared statements. */
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

/** The console of PgBouncer accepts only simple queries. */
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
    // PgBouncer may require TLS. This query does not check the certificate.
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
