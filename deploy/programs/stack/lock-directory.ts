import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseInUseError } from '../../../src/embedded-postgres/error.ts';
import { lockService } from '../../../src/embedded-postgres/lock.ts';

/**
 * Makes the directory and locks it against other stacks until this process ends, in whatever way.
 * @throws {Error} with the id of the process when another stack has the lock
 */
export async function lockDirectory(directory: string): Promise<void> {
  const lock = join(directory, 'stack.lock');
  await mkdir(directory, { recursive: true });
  try {
    await lockService(lock, directory);
  } catch (error) {
    if (!(error instanceof DatabaseInUseError)) throw error;
    const pid = (await readFile(lock, 'utf8')).trim();
    throw new Error(
      `another stack (pid ${pid}) has its data and logs in ${directory}: end it, or add -- --free-ports --directory <another>`,
    );
  }
}
