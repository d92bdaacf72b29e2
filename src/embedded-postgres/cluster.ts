import { randomBytes } from 'node:crypto';
import {
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  lchownSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { Layout } from '../data-dir.ts';
import { cannotBecome, EmbeddedDatabaseError, errorCode } from './error.ts';
import { SupervisedProcess } from './process.ts';

/** The one role of the embedded database, a superuser of it. */
export const SUPERUSER = 'grantex';

/**
 * postgres and initdb take the directory that they are started in as their data directory. The kernel follows this link
 * without walking the path, so an unprivileged postgres works below a directory that only root may enter.
 */
export const WORKING_DIRECTORY = '/proc/self/cwd';

export interface User {
  readonly uid: number;
  readonly gid: number;
}

/** The user `nobody` on Debian and most other systems. The ids need no account. */
const NOBODY: User = { uid: 65534, gid: 65534 };

/**
 * The user that runs postgres, which refuses root. null: the user of this process. Root uses the owner of the existing
 * database, or `nobody` for a new one.
 * @throws {EmbeddedDatabaseError} when this process cannot become the owner of the existing database
 */
export function clusterUser({ cluster }: Layout): User | null {
  const own = process.getuid?.();
  const stat = statSync(cluster, { throwIfNoEntry: false });
  if (own === 0) return stat && stat.uid !== 0 ? { uid: stat.uid, gid: stat.gid } : NOBODY;
  if (stat && stat.uid !== own)
    throw new EmbeddedDatabaseError(
      `the database in ${cluster} belongs to uid ${stat.uid}, and this service runs as uid ${own}: run it as uid ${stat.uid} or change the owner of the directory`,
    );
  return null;
}

/** The password of the superuser, made once and durable before the database that asks for it. */
export function readOrMakePassword({ cluster, password: file }: Layout): string {
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  if (existsSync(cluster))
    throw new EmbeddedDatabaseError(`${file} is missing: restore it, nothing else opens the database`);
  const partial = `${file}.partial`;
  rmSync(partial, { force: true });
  writeFileSync(partial, `${randomBytes(24).toString('base64url')}\n`, {
    mode: 0o600,
    flag: 'wx',
    flush: true,
  });
  renameSync(partial, file);
  return readFileSync(file, 'utf8').trim();
}

export interface InitOptions {
  readonly paths: Layout;
  readonly dataDir: string;
  readonly native: string;
  readonly user: User | null;
  readonly password: string;
  readonly durable: boolean;
  readonly lock: number;
  readonly onLog: (line: string) => void;
}

/**
 * Makes the database unless it is there. It is made beside its place, synced by initdb, and moved there by one rename:
 * under its final name it is always whole, whatever moment a crash chooses; what a crash left beside it is thrown away.
 * @throws {EmbeddedDatabaseError} when the user has no name; with the words of initdb when that fails.
 */
export async function ensureCluster(options: InitOptions): Promise<void> {
  const { paths, user, dataDir } = options;
  rmSync(paths.partial, { recursive: true, force: true });
  if (existsSync(paths.cluster)) {
    if (user && statSync(paths.cluster).uid !== user.uid) giveTo(paths.cluster, user);
    return;
  }
  if (!user) assertUserHasName();
  const made = join(paths.partial, 'data');
  mkdirSync(paths.partial, { mode: 0o700 });
  mkdirSync(made, { mode: 0o700 });
  // initdb runs as the other user and must read this; the lasting copy stays with the service.
  writeFileSync(join(paths.partial, 'password'), options.password, { mode: 0o600 });
  if (user) giveTo(paths.partial, user);
  await initdb(made, options);
  renameSync(made, paths.cluster);
  syncDirectory(dataDir);
  rmSync(paths.partial, { recursive: true, force: true });
}

/**
 * initdb asks the system for the name of its user, whatever name the role has, and there is no way around that. A database that
 * exists needs no name.
 */
function assertUserHasName(): void {
  try {
    userInfo();
  } catch (cause) {
    throw new EmbeddedDatabaseError(
      `the embedded database can only be created by a user that has a name, and uid ${process.getuid?.()} has none in /etc/passwd: give it a line there, run the service as another user, or set DATABASE_URL`,
      { cause },
    );
  }
}

async function initdb(cwd: string, options: InitOptions): Promise<void> {
  const said: string[] = [];
  const child = await SupervisedProcess.start({
    command: [
      join(options.native, 'bin/initdb'),
      `--pgdata=${WORKING_DIRECTORY}`,
      `--pwfile=${WORKING_DIRECTORY}/../password`,
      `--username=${SUPERUSER}`,
      '--auth=scram-sha-256',
      // The same order and case rules on every machine and after every upgrade of the system's libraries.
      '--encoding=UTF8',
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--no-instructions',
      ...(options.durable ? [] : ['--no-sync']),
    ],
    cwd,
    user: options.user,
    lock: options.lock,
    onLog: (line) => said.push(line),
  });
  const { code, signal } = await child.exited;
  if (code !== 0)
    throw new EmbeddedDatabaseError(`the database cannot be created: ${said.join('; ') || (signal ?? code)}`);
}

function giveTo(path: string, { uid, gid }: User): void {
  try {
    for (const entry of readdirSync(path, { recursive: true, encoding: 'utf8' }))
      lchownSync(join(path, entry), uid, gid);
    chownSync(path, uid, gid);
  } catch (cause) {
    throw errorCode(cause) === 'EPERM' ? cannotBecome(uid, cause) : cause;
  }
}

function syncDirectory(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
