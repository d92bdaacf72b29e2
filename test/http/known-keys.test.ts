import { expect, test } from 'vitest';
import { sha256 } from '../../src/hash.ts';
import { createKnownKeys } from '../../src/http/known-keys.ts';

const bearer = (token: string) => ({ token, hash: sha256(token) });

test('the developer of a key is remembered, until more keys than allowed were used since', () => {
  const keys = createKnownKeys(2);
  expect(keys.developerOf(bearer('a'))).toBeUndefined();
  keys.add(bearer('a'), 'dev_1');
  keys.add(bearer('b'), 'dev_1');
  expect(keys.developerOf(bearer('a'))).toBe('dev_1');
  keys.add(bearer('c'), 'dev_2');
  expect(['a', 'b', 'c'].map((token) => keys.developerOf(bearer(token)))).toEqual([
    'dev_1',
    undefined,
    'dev_2',
  ]);
});
