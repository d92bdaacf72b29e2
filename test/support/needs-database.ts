import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const TESTS = fileURLToPath(new URL('../', import.meta.url));
/** The call by which a test gets the database of the global setup. */
const ASKS = /\binject\('(?:service)?databaseUrl'\)/i;
/** Imports of values. An import of types loads no file. */
const IMPORT =
  /^(?:import|export)\s(?!type\b)(?:[^'";]*?\sfrom\s+)?'(\.[^']+\.ts)'|\bimport\('(\.[^']+\.ts)'\)/gm;

interface Source {
  readonly asks: boolean;
  readonly imports: readonly string[];
}

/**
 * The test files that do not need the PostgreSQL of the global setup, as paths from the root of the project. A test
 * needs it when the test itself, or a test file that it imports, injects the URL. So a test that moves or changes is
 * always in the right project.
 */
export function testsWithoutDatabase(): string[] {
  const sources = new Map<string, Source>();
  const read = (path: string): Source => {
    const known = sources.get(path);
    if (known) return known;
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    const imports = [...text.matchAll(IMPORT)]
      .map(([, named, called]) => resolve(dirname(path), named ?? called ?? ''))
      // The code under test never imports a test file.
      .filter((file) => file.startsWith(TESTS));
    const source = { asks: ASKS.test(text), imports };
    sources.set(path, source);
    return source;
  };
  const needsDatabase = (test: string): boolean => {
    const reached = new Set([test]);
    for (const path of reached) {
      const { asks, imports } = read(path);
      if (asks) return true;
      for (const file of imports) reached.add(file);
    }
    return false;
  };
  return readdirSync(TESTS, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => join(TESTS, file))
    .filter((file) => !needsDatabase(file))
    .map((file) => relative(join(TESTS, '..'), file))
    .sort();
}
