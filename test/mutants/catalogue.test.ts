import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { MUTANTS } from './catalogue.ts';

const at = (path: string) => new URL(`../../${path}`, import.meta.url);

test('every mutant still has exactly one place to break, and tests that exist to notice it', () => {
  const outOfDate = MUTANTS.filter(
    ({ file, text, killedBy }) =>
      readFileSync(at(file), 'utf8').split(text).length !== 2 ||
      !killedBy.every((path) => existsSync(at(path))),
  );
  expect(outOfDate.map(({ name }) => name)).toEqual([]);
});
