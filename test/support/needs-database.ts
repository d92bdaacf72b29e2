import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What a test that needs the PostgreSQL of the run imports, directly or by way of others. */
const DATABASE = 'test/support/database.ts';

/** The files that a file imports from the project, as paths from its root. */
function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  return Array.from(text.matchAll(/(?:from |import\(|import )'(\.[^']+\.ts)'/g), ([, path = '']) =>
    join(dirname(file), path),
  );
}

/** The test files of `pattern` that need no database: they run without one, at once. */
export function withoutDatabase(pattern: string): string[] {
  const known = new Map<string, boolean>([[DATABASE, true]]);
  const needs = (file: string): boolean => {
    const answer = known.get(file);
    if (answer !== undefined) return answer;
    // A circle of imports needs no database by itself.
    known.set(file, false);
    const found = file.startsWith('test/') && importsOf(file).some(needs);
    known.set(file, found);
    return found;
  };
  return globSync(pattern).filter((file) => !needs(file));
}
