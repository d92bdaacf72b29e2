import { spawn } from 'node:child_process';
import { closeSync, constants, ftruncateSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseInUseError, EmbeddedDatabaseError, errorCode } from './error.ts';

/**
 * Takes the lock of a running service on `file` and writes our process id into it. The kernel holds the lock for as long
 * as the returned descriptor is open, so it ends with the process and can never be stale.
 * @throws {EmbeddedDatabaseError} when another running service has it.
 */
export async function lockService(file: string, dataDir: string): Promise<number> {
  const lock = openLock(file);
  try {
    if (!(await flock(lock, ['-n']))) {
      const pid = readFileSync(file, 'utf8').trim() || 'unknown';
      throw new DatabaseInUseError(
        `${dataDir} is in use by another running service (pid ${pid}): stop it, or give this one another DATA_DIR or a DATABASE_URL`,
      );
    }
    ftruncateSync(lock);
    writeSync(lock, `${process.pid}\n`, 0);
    return lock;
  } catch (error) {
    closeSync(lock);
    throw error;
  }
}

/**
 * Takes the lock that every process of a postgres inherits: once we have it, nothing of an earlier postgres lives.
 * A server that lost its service gets a request to shut down, fast at first, and the launcher waits for its end.
 * @throws {EmbeddedDatabaseError} when it does not end within about ten seconds.
 */
export async function lockDatabase(file: string, postgresDir: string): Promise<number> {
  const lock = openLock(file);
  try {
    if (await flock(lock, ['-n'])) return lock;
    for (const [signal, seconds] of [
      ['SIGINT', 5],
      ['SIGQUIT', 3],
      ['SIGKILL', 2],
    ] as const) {
      const orphan = postmasterOf(postgresDir);
      if (orphan) endProcess(orphan, signal);
      if (await flock(lock, ['-w', String(seconds)])) return lock;
    }
    throw new EmbeddedDatabaseError(
      `a PostgreSQL left over from an earlier run still uses ${postgresDir} and does not end`,
    );
  } catch (error) {
    closeSync(lock);
    throw error;
  }
}

function openLock(file: string): number {
  return openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
}

/** Node has no flock; the lock that the command takes belongs to the open file it shares with us and outlives it. */
function flock(descriptor: number, options: readonly string[]): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawn('flock', [...options, '3'], { stdio: ['ignore', 'ignore', 'ignore', descriptor] });
    child.once('error', (cause) =>
      reject(
        new EmbeddedDatabaseError(
          `the command flock (package util-linux) is needed to guard the data directory: ${cause.message}`,
          { cause },
        ),
      ),
    );
    child.once('exit', (code) => {
      if (code === 0 || code === 1) resolve(code === 0);
      else reject(new EmbeddedDatabaseError(`flock failed with exit code ${code}`));
    });
  });
}

/** The pid that postgres wrote down, if that process really works in this directory: the number may be another's by now. */
function postmasterOf(postgresDir: string): number | undefined {
  try {
    const pid = Number(readFileSync(join(postgresDir, 'postmaster.pid'), 'utf8').split('\n')[0]);
    const [theirs, ours] = [statSync(`/proc/${pid}/cwd`), statSync(postgresDir)];
    return theirs.ino === ours.ino && theirs.dev === ours.dev ? pid : undefined;
  } catch {
    return undefined;
  }
}

function endProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}
