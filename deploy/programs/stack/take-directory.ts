import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseInUseError } from '../../../src/embedded-postgres/error.ts';
import { lockService } from '../../../src/embedded-postgres/lock.ts';

/**
 * Makes the directory and keeps other stacks out of it for as long as this process lives, however it ends.
 * @throws {Error} that names the process when another stack has it
 */
export async function takeDirectory(directory: string): Promise<void> {
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
