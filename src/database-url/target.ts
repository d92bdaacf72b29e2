/**
 * DATABASE_URL: reads a connection string as libpq does, and explains each parameter that cannot be honoured. `db` connects
 * with the result, and the configuration checks the variable with it. This module reads certificate files and opens no
 * connection.
 */
import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import { userInfo } from 'node:os';
import { readConnectionString, TargetError } from './connection-string.ts';
import { faultsOf } from './parameters.ts';
import { readTls, type Tls } from './tls-parameters.ts';

export { TargetError } from './connection-string.ts';
export type { Tls } from './tls-parameters.ts';

/** One server: a name or an address, or the file of a Unix socket (one that begins with "@" is in no directory). */
export type Host =
  | {
      readonly host: string;
      readonly port: number;
      /** `hostaddr`: connected to instead of `host`, which is then only what the certificate must say. */
      readonly address?: string;
    }
  | { readonly path: string };

/** Where the database is and how to get in: a connection string of libpq, understood. It holds secrets. */
export interface Target {
  /** In the order to try; of several the one that accepts writes is used. */
  readonly hosts: readonly Host[];
  /** Each connection begins at a random host (`load_balance_hosts=random`). */
  readonly loadBalanced: boolean;
  readonly user: string;
  /** Empty: none. */
  readonly password: string;
  readonly database: string;
  readonly applicationName: string | null;
  /** Start options of the session, such as `-c search_path=grantex`. */
  readonly options: string | null;
  readonly tls: Tls;
  /** Whether statements may be prepared; null: to be found out. The service's own parameter. */
  readonly prepare: boolean | null;
  /** For one host; null: the client's own limit. */
  readonly connectTimeoutMs: number | null;
}

const DEFAULT_PORT = '5432';
/** Debian's and its derivatives', and PostgreSQL's own. */
const SOCKET_DIRECTORIES = ['/var/run/postgresql', '/tmp'];

/**
 * Understands what DATABASE_URL holds: each form that libpq documents. Neither variables such as PGHOST nor files in the
 * home directory are read.
 * @throws {TargetError} naming every faulty parameter and no value
 */
export function parseTarget(text: string): Target {
  const parameters = readConnectionString(text);
  const faults = faultsOf(parameters);
  const fault = (found: string) => void faults.push(found);
  const value = (name: string) => parameters.get(name) || null;

  const hosts = readHosts(parameters, fault);
  const tls = readTls(parameters, fault);
  const user = value('user') ?? systemUser(fault);
  const seconds = Number(value('connect_timeout') ?? 0);
  if (faults.length > 0) throw new TargetError(faults);
  return {
    hosts,
    loadBalanced: value('load_balance_hosts') === 'random',
    user,
    password: value('password') ?? '',
    database: value('dbname') ?? user,
    applicationName: (parameters.get('application_name') ?? value('fallback_application_name')) || null,
    options: value('options'),
    tls,
    prepare: value('prepare') === null ? null : value('prepare') === 'true',
    connectTimeoutMs: seconds > 0 ? seconds * 1000 : null,
  };
}

function readHosts(parameters: ReadonlyMap<string, string>, fault: (text: string) => void): Host[] {
  const list = (name: string) => parameters.get(name)?.split(',') ?? [];
  const [names, addresses, ports] = [list('host'), list('hostaddr'), list('port')];
  const count = Math.max(addresses.length || names.length, 1);
  if (names.length > 0 && names.length !== count) fault('hostaddr must name as many hosts as host');
  if (ports.length > 1 && ports.length !== count)
    fault('port must be one port, or as many as there are hosts');
  if (
    ports.some(
      (port) => port !== '' && !(/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535),
    )
  )
    fault('port must be a number from 1 to 65535');
  if (names.some((name) => /[\s/@[\]]/.test(name) && !/^[/@]/.test(name)))
    fault('host must be a name, an address or the directory of a socket');
  if (addresses.some((address) => address !== '' && isIP(address) === 0))
    fault('hostaddr must be an IP address');

  return Array.from({ length: count }, (_, index) => {
    const port = (ports.length > 1 ? ports[index] : ports[0]) || DEFAULT_PORT;
    const [name, address] = [names[index] || addresses[index] || socketDirectory(), addresses[index]];
    if (address) return { host: name, port: Number(port), address };
    if (/^[/@]/.test(name)) return { path: `${name.replace(/\/$/, '')}/.s.PGSQL.${port}` };
    return { host: name, port: Number(port) };
  });
}

const socketDirectory = () => SOCKET_DIRECTORIES.find((path) => existsSync(path)) ?? '/tmp';

function systemUser(fault: (text: string) => void): string {
  try {
    return userInfo().username;
  } catch {
    fault('user must be set: the user of this process has no name');
    return '';
  }
}
