import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };

/** Wherever the service is started, or its start is shown. */
const PLACES = [
  'Dockerfile',
  'docs/operations.md',
  'deploy/programs/stack/definitions.ts',
  'test/support/child.ts',
  'test/stack/read-only.test.ts',
];
const flagsIn = (text: string) => text.match(/--(?:max-semi-space-size|heap-growing-percent)=\d+/g);

test.each(PLACES)('%s starts Node as npm start does', async (place) => {
  const flags = flagsIn(manifest.scripts.start);
  expect(flags).toHaveLength(2);
  expect(flagsIn(await readFile(new URL(`../../${place}`, import.meta.url), 'utf8'))).toEqual(flags);
  expect(flagsIn(manifest.scripts.dev)).toEqual(flags);
});

test('npm start keeps compiled code where nobody else writes', () => {
  expect(manifest.scripts.start).toMatch(
    /^NODE_COMPILE_CACHE=\$\{NODE_COMPILE_CACHE:-node_modules\/\.cache\/node\} exec node /,
  );
});
