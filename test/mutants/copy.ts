import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Mutant } from './mutant.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** What the tests need of the repository; other people work in the rest. */
const PARTS = [
  'src',
  'instrumentation',
  'test',
  'package.json',
  'tsconfig.json',
  'vitest.config.ts',
  '.env.example',
];

/** A copy of the working tree, in which one mutant lives at a time. */
export interface Copy {
  readonly path: string;
  /** Puts a mutant in, and gives what takes it out again. */
  infect(mutant: Mutant): Promise<() => Promise<void>>;
  remove(): Promise<void>;
}

export async function copyTree(): Promise<Copy> {
  const path = await mkdtemp(join(tmpdir(), 'grantex-mutants-'));
  const remove = () => rm(path, { recursive: true, force: true });
  try {
    for (const part of PARTS) await cp(join(ROOT, part), join(path, part), { recursive: true });
    await symlink(join(ROOT, 'node_modules'), join(path, 'node_modules'));
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    path,
    remove,
    async infect({ name, file, text, replacement }) {
      const place = join(path, file);
      const healthy = await readFile(place, 'utf8');
      const count = healthy.split(text).length - 1;
      if (count !== 1)
        throw new Error(`${name}: its text is ${count} times in ${file}; the list is out of date`);
      await writeFile(
        place,
        healthy.replace(text, () => replacement),
      );
      return () => writeFile(place, healthy);
    },
  };
}
