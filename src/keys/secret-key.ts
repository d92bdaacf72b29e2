import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Config, ConfigError } from '../config.ts';

/**
 * `SECRET_KEY`, or with the embedded database the one kept in `DATA_DIR/secret-key`, generated the first time.
 * @throws {ConfigError} when the kept one cannot be used
 */
export async function loadSecretKey({
  secretKey,
  dataDir,
}: Pick<Config, 'secretKey' | 'dataDir'>): Promise<Buffer> {
  if (secretKey) return secretKey;
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await chmod(dataDir, 0o700);
  const path = join(dataDir, 'secret-key');
  await writeOnce(path, `${randomBytes(32).toString('base64')}\n`);
  const key = Buffer.from(await readFile(path, 'utf8'), 'base64');
  if (key.length !== 32)
    throw new ConfigError([`DATA_DIR holds a secret-key that is not 32 bytes in base64: ${path}`]);
  return key;
}

/** Creates the file unless it exists. Synced, because what it encrypts is lost with it. */
async function writeOnce(path: string, text: string): Promise<void> {
  try {
    const file = await open(path, 'wx', 0o600);
    await file.writeFile(text);
    await file.sync();
    await file.close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
