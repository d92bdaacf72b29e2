import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  statSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ConfigError } from './config.ts';

/** The names of everything that is kept in the data directory. */
export const layout = (dataDir: string) => ({
  cluster: join(dataDir, 'postgres'),
  partial: join(dataDir, 'postgres.partial'),
  password: join(dataDir, 'postgres-password'),
  serviceLock: join(dataDir, 'service.lock'),
  databaseLock: join(dataDir, 'postgres.lock'),
  secretKey: join(dataDir, 'secret-key'),
});
export type Layout = ReturnType<typeof layout>;

/** Whether an embedded database was made in this directory. Writes nothing. */
export const hasCluster = (dataDir: string): boolean => existsSync(layout(resolve(dataDir)).cluster);

/**
 * Makes the data directory, or closes an existing one to everybody else (0700), and proves that it can be written.
 * @throws {ConfigError} naming DATA_DIR when it cannot be ours alone
 */
export function prepareDataDir(dataDir: string): void {
  try {
    makeDirectory(resolve(dataDir));
    // A mistyped DATA_DIR=/tmp must not lock everybody out of /tmp.
    const shared = (statSync(dataDir).mode & 0o1000) !== 0 && readdirSync(dataDir).length > 0;
    if (shared && !existsSync(layout(dataDir).serviceLock))
      throw new ConfigError([`DATA_DIR: ${dataDir} is a shared directory: give it one of its own below it`]);
    chmodSync(dataDir, 0o700);
    accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
    // Root may do everything, says access(2), also where the file system itself refuses.
    rmdirSync(mkdtempSync(join(dataDir, '.probe-')));
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const { code = String(error) } = error as NodeJS.ErrnoException;
    throw new ConfigError([
      `DATA_DIR: the data directory ${dataDir} cannot be used (${code}): it must be a directory that uid ${process.getuid?.()} owns and may write`,
    ]);
  }
}

/** Node's recursive `mkdir` never ends on a file system such as /proc, which answers ENOENT to every name. */
function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && path !== dirname(path) && !existsSync(dirname(path))) {
      makeDirectory(dirname(path));
      makeDirectory(path);
    } else if (code !== 'EEXIST' || !statSync(path).isDirectory()) {
      throw error;
    }
  }
}
