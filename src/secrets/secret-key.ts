import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Config, ConfigError } from '../config.ts';
import { hasCluster, layout, prepareDataDir } from '../data-dir.ts';

/**
 * `SECRET_KEY`, or the key in `DATA_DIR/secret-key` with the embedded database. The service generates that key before
 * it first makes the database. It never generates one for an existing database, because a new key would not open its
 * content.
 * @throws {ConfigError} when the key in DATA_DIR is lost or cannot be used
 */
export async function loadSecretKey({
  secretKey,
  dataDir,
}: Pick<Config, 'secretKey' | 'dataDir'>): Promise<Buffer> {
  if (secretKey) return secretKey;
  const path = layout(resolve(dataDir)).secretKey;
  if (hasCluster(dataDir) && !existsSync(path))
    throw new ConfigError([
      `DATA_DIR: ${path} is missing: restore it, or set SECRET_KEY to what it held; nothing else opens the signing keys in the database`,
    ]);
  prepareDataDir(dataDir);
  await writeOnce(path, `${randomBytes(32).toString('base64')}\n`);
  const key = Buffer.from(await readFile(path, 'utf8'), 'base64');
  if (key.length !== 32)
    throw new ConfigError([`DATA_DIR holds a secret-key that is not 32 bytes in base64: ${path}`]);
  return key;
}

/**
 * Creates the file unless it exists. It syncs the file, because everything that the key encrypts would be lost with it.
 */
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
