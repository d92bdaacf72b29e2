import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { chmod, cp, lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { bundledPackage, usableBinaries } from '../../src/embedded-postgres/binaries.ts';
import { addRow, EmbeddedResources } from '../support/embedded.ts';

const resources = new EmbeddedResources();
afterEach(() => resources.cleanUp());

const isRoot = process.getuid?.() === 0;

describe('binaries', () => {
  const links = ['lib/libicuuc.so.60', 'lib/libicui18n.so.60'];

  /** As npm installs it under --ignore-scripts: packages cannot hold links. */
  async function packageWithoutLinks(parent: string): Promise<string> {
    const copy = join(parent, 'package');
    await cp(bundledPackage(), copy, {
      recursive: true,
      filter: async (path) => !path.endsWith('.a') && !(await lstat(path)).isSymbolicLink(),
    });
    return copy;
  }

  test('a platform without binaries', () => {
    expect(() => bundledPackage('darwin-arm64')).toThrow(
      /no bundled PostgreSQL for darwin-arm64: set DATABASE_URL/,
    );
  });

  test('links that npm did not make are made', async () => {
    const packageDir = await packageWithoutLinks(await resources.directory(0o755));
    expect(existsSync(join(packageDir, 'native', 'lib/libicuuc.so.60'))).toBe(false);
    const { url } = await resources.start({
      dataDir: await resources.directory(),
      packageDir,
      durable: false,
    });
    expect(await addRow(url)).toBe(1);
    for (const link of links)
      expect((await lstat(join(packageDir, 'native', link))).isSymbolicLink()).toBe(true);
  });

  test('an unusable package is copied once, to a directory that only we can write', async () => {
    const parent = await resources.directory(isRoot ? 0o700 : 0o755);
    const packageDir = await packageWithoutLinks(parent);
    // Root is kept out by the parent above; anybody else by not being able to add the links.
    if (!isRoot) await chmod(join(packageDir, 'native/lib'), 0o555);
    const uid = isRoot ? 65534 : (process.getuid?.() ?? 0);
    const cache = join(await resources.directory(0o755), 'cache');
    const native = usableBinaries(packageDir, uid, [cache]);
    expect(native.startsWith(`${cache}/postgres-`)).toBe(true);
    const { stdout } = spawnSync(join(native, 'bin/postgres'), ['--version'], { uid, encoding: 'utf8' });
    expect(stdout).toMatch(/^postgres \(PostgreSQL\) 18\./);
    const { ino } = statSync(native);
    expect(statSync(usableBinaries(packageDir, uid, [cache])).ino).toBe(ino);

    const untrusted = await resources.directory(0o777);
    expect(() => usableBinaries(packageDir, uid, [untrusted])).toThrow(
      `${untrusted} is not a directory that only this user may write`,
    );
    await chmod(join(packageDir, 'native/lib'), 0o755);
  });
});
