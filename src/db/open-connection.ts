import type { Socket } from 'node:net';
import postgres from 'postgres';
import type { Host, Target } from '../database-url/target.ts';
import type { Backend } from './cancel.ts';
import { CHECK, Connection, type ConnectionOptions } from './connection.ts';
import { ReadOnlyServerError } from './errors.ts';
import type { SessionLimits } from './limits.ts';
import { Link } from './link.ts';
import { encryptions, openSocket } from './socket.ts';
import { VALUE_TYPES } from './value-types.ts';

/** PostgreSQL raises this notice when it commits and the wait for replication is cancelled (`syncrep.c`). */
const UNREPLICATED = 'SyncRepWaitForLSN';

export interface OpenOptions extends ConnectionOptions {
  readonly target: Target;
  /** For all hosts together. `connect_timeout` of the target, where given, is for each host. */
  readonly timeoutMs: number;
  /** Called once, when the connection was lost and not closed by the service. */
  readonly onLost: (error: Error) => void;
}

/** The host that took writes the last time. Usually it still does. */
const lastWritableHost = new WeakMap<Target, Host>();

function hostsInOrder(target: Target): readonly Host[] {
  const { hosts, loadBalanced } = target;
  const last = lastWritableHost.get(target);
  const first = loadBalanced ? Math.floor(Math.random() * hosts.length) : last ? hosts.indexOf(last) : 0;
  return [...hosts.slice(first), ...hosts.slice(0, first)];
}

/**
 * Opens a connection to the server that takes writes, host by host in the order of the target.
 * @throws the error of a server, or else the last one of the system (ECONNREFUSED, …), when no server takes writes
 */
export async function openConnection(options: OpenOptions): Promise<Connection> {
  const { target } = options;
  const hosts = hostsInOrder(target);
  const end = performance.now() + options.timeoutMs;
  const failures: unknown[] = [];
  for (const [index, host] of hosts.entries()) {
    const share = target.connectTimeoutMs ?? (end - performance.now()) / (hosts.length - index);
    const signal = AbortSignal.timeout(Math.max(1, Math.ceil(share)));
    for (const encrypted of encryptions(host, target.tls)) {
      try {
        const connection = await openOne(options, { host, tls: target.tls, encrypted }, signal);
        lastWritableHost.set(target, host);
        return connection;
      } catch (error) {
        failures.push(error);
        if (!mayDependOnEncryption(error)) break;
      }
    }
  }
  throw failures.find(isServerError) ?? failures.at(-1);
}

async function openOne(
  options: OpenOptions,
  way: Omit<Backend, 'pid' | 'secret'>,
  signal: AbortSignal,
): Promise<Connection> {
  const { target, limits, onLost } = options;
  const socket = await openSocket(way.host, way.tls, way.encrypted, signal);
  let opened = false;
  let sql: postgres.Sql | undefined;
  const link: Link = new Link(
    socket,
    (error) => {
      if (opened) onLost(error);
    },
    // This makes the driver settle every call that is still open.
    () => void sql?.end({ timeout: 0 }),
  );
  const giveUp = () => link.giveUp(true);
  signal.addEventListener('abort', giveUp, { once: true });
  if (signal.aborted) giveUp();
  try {
    sql = createClient(target, link, socket);
    const result = await sql.unsafe(CHECK);
    const [row] = result;
    if (row?.['readOnly'] === true) throw new ReadOnlyServerError();
    const { pid, secret } = result.state;
    const pooled = row?.['pid'] !== pid;
    if (!pooled) await sql.unsafe(sessionSettings(limits));
    opened = true;
    return new Connection(sql, link, { ...way, pid, secret }, pooled, options);
  } catch (error) {
    link.expectEnd();
    const reason = error instanceof ReadOnlyServerError ? error : link.reason(error);
    link.destroy();
    throw reason;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

/** `transaction_timeout` is set where the server knows it. */
const sessionSettings = ({
  statementMs,
  lockMs,
  idleInTransactionMs,
  transactionMs,
}: SessionLimits): string =>
  `select set_config('statement_timeout', '${statementMs}', false), set_config('lock_timeout', '${lockMs}', false),
    set_config('idle_in_transaction_session_timeout', '${idleInTransactionMs}', false),
    (select set_config(name, '${transactionMs}', false) from pg_settings where name = 'transaction_timeout')`;

function createClient(target: Target, link: Link, socket: Socket): postgres.Sql {
  // This setting has no value for "none". With it the driver sends a query that it does not await.
  delete process.env['PGTARGETSESSIONATTRS'];
  let given = false;
  const settings = {
    host: 'localhost',
    port: 5432,
    user: target.user,
    password: () => target.password,
    database: target.database,
    max: 1,
    ssl: false,
    fetch_types: false,
    types: VALUE_TYPES,
    // Every setting is given, because the driver takes a missing one from the environment.
    debug: false,
    prepare: true,
    max_pipeline: 100,
    connect_timeout: 0,
    idle_timeout: 0,
    max_lifetime: null,
    keep_alive: null,
    backoff: () => 0,
    connection: {
      application_name: target.applicationName ?? 'grantex-auth',
      ...(target.options !== null && { options: target.options }),
    },
    onnotice: ({ routine }: postgres.Notice) => {
      if (routine === UNREPLICATED) link.unreplicated = true;
    },
    // Documented, but missing from the driver's types. The driver asks for another socket when the first one is gone.
    socket: () => {
      if (given || socket.destroyed) throw new Error('this connection is closed');
      given = true;
      return socket;
    },
  };
  return postgres(settings as postgres.Options<typeof VALUE_TYPES>);
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';

const isServerError = (error: unknown): boolean =>
  /^[0-9A-Z]{5}$/.test(codeOf(error)) && !/^E[A-Z]+$/.test(codeOf(error));

/** With `sslmode` prefer and allow the other way is tried after a refusal: the server may have no TLS, or `pg_hba.conf` may decide per user. */
const mayDependOnEncryption = (error: unknown): boolean => {
  const code = codeOf(error);
  return code === 'TLS_REFUSED' || code.startsWith('28') || code.startsWith('ERR_SSL') || code === 'EPROTO';
};
