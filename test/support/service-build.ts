/** The service as the image has it, for tests: a run of them starts it hundreds of times. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleService } from '../../deploy/programs/build/bundle.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const BUILDS = join(ROOT, 'node_modules/.cache/grantex-service');
/** All that the built files are made from. */
const MADE_OF = ['src', 'instrumentation', 'deploy/programs/build'];
const DAY_MS = 86_400_000;

/**
 * Builds the service from the present sources, unless that is done.
 * @returns the directory, with `register.js` and `main.js`
 */
export async function buildService(): Promise<string> {
  const target = join(BUILDS, await fingerprint());
  if (existsSync(target)) {
    const now = new Date();
    await utimes(target, now, now);
    return target;
  }
  await mkdir(BUILDS, { recursive: true });
  const partial = await mkdtemp(join(BUILDS, 'partial-'));
  await bundleService(partial);
  // When another run was faster, its build stays.
  await rename(partial, target).catch(() => rm(partial, { recursive: true, force: true }));
  await removeOld(target);
  return target;
}

async function fingerprint(): Promise<string> {
  const hash = createHash('sha256').update(ROOT);
  const files = ['package-lock.json'];
  for (const directory of MADE_OF)
    for (const entry of await readdir(join(ROOT, directory), { recursive: true, withFileTypes: true }))
      if (entry.isFile()) files.push(join(entry.parentPath.slice(ROOT.length), entry.name));
  for (const file of files.sort()) hash.update(`\0${file}\0`).update(await readFile(join(ROOT, file)));
  return hash.digest('hex').slice(0, 16);
}

/** By age and not by number: other branches may share the directory, and their services load files as they go. */
async function removeOld(kept: string): Promise<void> {
  for (const name of await readdir(BUILDS)) {
    const path = join(BUILDS, name);
    // A night moves the clock of the tests, and not that of the file system: this build may seem to be years old.
    if (path === kept) continue;
    // Another run may be removing it, too.
    const age = Date.now() - (await stat(path).then(({ mtimeMs }) => mtimeMs, Date.now));
    if (age > DAY_MS) await rm(path, { recursive: true, force: true });
  }
}
