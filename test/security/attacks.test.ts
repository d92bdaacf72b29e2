import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ATTACKS } from './attacks.ts';

const ROOT = new URL('../../', import.meta.url);

test.each(Object.entries(ATTACKS))('each attack that wants to %s has its test', (_goal, attacks) => {
  const missing = attacks.filter(([, file, name]) => {
    const url = new URL(file, ROOT);
    return name === '' || !existsSync(url) || !readFileSync(url, 'utf8').includes(name);
  });
  expect(missing).toEqual([]);
});
