/**
 * The embedded PostgreSQL: the launcher of the bundled server, for machines that have none. It makes the cluster in `DATA_DIR`
 * (`cluster.ts`), finds the programs (`binaries.ts`), takes the directory for itself (`lock.ts`) and ends the server with the
 * service (`process.ts`). It runs no statements, and `db` does not know it. `database-source.ts` calls.
 */
import { closeSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { layout, prepareDataDir } from '../data-dir.ts';
import { bundledPackage, cacheDirectories, usableBinaries } from './binaries.ts';
import {
  clusterUser,
  ensureCluster,
  readOrMakePassword,
  SUPERUSER,
  type User,
  WORKING_DIRECTORY,
} from './cluster.ts';
import { EmbeddedDatabaseError } from './error.ts';
import { lockDatabase, lockService } from './lock.ts';
import { type Exit, SupervisedProcess } from './process.ts';

/** A running PostgreSQL of ours alone. It ends with this process, however this process ends. */
export interface EmbeddedDatabase {
  /** `postgres://user:password@127.0.0.1:port/postgres`; the role is a superuser. It holds a secret. */
  readonly url: string;
  /** Fast shutdown, immediate after 5 s; resolves when every process is gone and the data directory is free. */
  stop(): Promise<void>;
  /** Resolves when postgres ends, asked or not. */
  readonly exited: Promise<Exit>;
}

export interface EmbeddedDatabaseOptions {
  /** Made, or closed to others, with mode 0700. May be relative to the working directory. */
  readonly dataDir: string;
  /** A line of the log of postgres (`LOG:`, `WARNING:`, `ERROR:`, …), without statements and values of rows. */
  readonly onLog?: (line: string) => void;
  /** false: a crash of the machine may lose the data. For throw-away databases of tests. */
  readonly durable?: boolean;
  /** The npm package with the binaries; found by itself unless given. */
  readonly packageDir?: string;
}

const START_TIMEOUT_MS = 60_000;
const PORT_ATTEMPTS = 5;

/**
 * Starts the bundled PostgreSQL on the data in `dataDir`, which is made at the first start. Whatever an earlier run left
 * behind, by a crash of the service, the database or the machine, is cleared away first; committed data stays.
 * As root the database runs as an unprivileged user.
 * @throws {EmbeddedDatabaseError} when another service runs on `dataDir`, when there are no usable binaries, or when
 * postgres does not start (with its own last words).
 */
export async function startEmbeddedDatabase(options: EmbeddedDatabaseOptions): Promise<EmbeddedDatabase> {
  const dataDir = resolve(options.dataDir);
  const packageDir = options.packageDir ?? bundledPackage();
  prepareDataDir(dataDir);
  const serviceLock = await lockService(layout(dataDir).serviceLock, dataDir);
  try {
    return await startLocked({ ...options, dataDir, packageDir }, () => closeSync(serviceLock));
  } catch (error) {
    closeSync(serviceLock);
    throw error;
  }
}

type Located = EmbeddedDatabaseOptions & { readonly packageDir: string };

async function startLocked(options: Located, release: () => void): Promise<EmbeddedDatabase> {
  const { dataDir, packageDir, durable = true, onLog = () => undefined } = options;
  const paths = layout(dataDir);
  const user = clusterUser(paths);
  const uid = user?.uid ?? process.getuid?.() ?? 0;
  const native = usableBinaries(packageDir, uid, cacheDirectories(dataDir));
  const lock = await lockDatabase(paths.databaseLock, paths.cluster);
  try {
    const password = readOrMakePassword(paths);
    await ensureCluster({ paths, dataDir, native, user, password, durable, lock, onLog });
    const launched = await launch({ cluster: paths.cluster, native, user, durable, lock, onLog });
    const { port, database } = launched;
    // From now on the lock is held by the processes of postgres alone.
    const exited = database.exited.then((exit) => {
      release();
      return exit;
    });
    database.unref();
    return {
      url: `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/postgres`,
      exited,
      stop: async () => {
        database.end();
        await exited;
      },
    };
  } finally {
    closeSync(lock);
  }
}

interface LaunchOptions {
  readonly cluster: string;
  readonly native: string;
  readonly user: User | null;
  readonly durable: boolean;
  readonly lock: number;
  readonly onLog: (line: string) => void;
}

/** Another program may take the free port before postgres does; then the next one is tried. */
async function launch(options: LaunchOptions): Promise<{ port: number; database: SupervisedProcess }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const started = await launchOn(port, options);
    if (started.ready) return { port, database: started.database };
    const words = started.said.join('; ');
    if (!words.includes('could not create any TCP/IP sockets') || attempt === PORT_ATTEMPTS)
      throw new EmbeddedDatabaseError(`the database does not start: ${words || 'it said nothing'}`);
  }
}

async function launchOn(port: number, options: LaunchOptions) {
  const { cluster, native, user, lock } = options;
  const pidFile = join(cluster, 'postmaster.pid');
  // We hold the lock of the database, so its writer is dead; the number in it may belong to any process by now.
  rmSync(pidFile, { force: true });
  let said: string[] | undefined = [];
  const database = await SupervisedProcess.start({
    command: [join(native, 'bin/postgres'), '-D', WORKING_DIRECTORY, ...settings(port, options.durable)],
    cwd: cluster,
    user,
    lock,
    onLog: (line) => {
      said?.push(line);
      options.onLog(line);
    },
  });
  const ready = await becomesReady(pidFile, database);
  const words = said;
  said = undefined;
  if (ready) return { ready, database } as const;
  database.end();
  const { code, signal } = await database.exited;
  return { ready, said: words.length > 0 ? words : [`it ended with ${signal ?? code}`] } as const;
}

function settings(port: number, durable: boolean): string[] {
  const values = {
    listen_addresses: '127.0.0.1',
    port,
    // A socket in the file system would have a path of at most 107 bytes; DATA_DIR may be longer.
    unix_socket_directories: '',
    max_connections: 100,
    shared_buffers: '128MB',
    // Containers often have a tiny /dev/shm.
    dynamic_shared_memory_type: 'mmap',
    // Small rows and small reads gain nothing from three more processes.
    io_method: 'sync',
    fsync: durable ? 'on' : 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_min_messages: 'warning',
    log_checkpoints: 'off',
    // The log must not repeat keys and values that a failed statement carried.
    log_error_verbosity: 'terse',
    log_min_error_statement: 'panic',
    log_line_prefix: '',
  };
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** postgres writes `ready` into the eighth line of its pid file once it takes connections. */
async function becomesReady(pidFile: string, database: SupervisedProcess): Promise<boolean> {
  let ended = false;
  const end = () => {
    ended = true;
  };
  database.exited.then(end, end);
  for (const deadline = Date.now() + START_TIMEOUT_MS; !ended && Date.now() < deadline; await delay(5)) {
    if (readIfThere(pidFile).split('\n')[7]?.trim() === 'ready') return true;
  }
  return false;
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function freePort(): Promise<number> {
  return new Promise((resolvePort, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address
          ? resolvePort(address.port)
          : reject(new EmbeddedDatabaseError('no free port on 127.0.0.1')),
      );
    });
  });
}
