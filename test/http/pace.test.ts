import { expect, test } from 'vitest';
import { pacer } from '../../src/http/pace.ts';

test('refusals of one requester are sent one by one, those of another at once, and none waits for more than a second', () => {
  const nextAt = pacer(10);
  expect([1, 2, 3].map(() => nextAt('noisy', 5_000))).toEqual([5_000, 5_020, 5_040]);
  expect(nextAt('quiet', 5_000)).toBe(5_000);
  const many = Array.from({ length: 100 }, () => nextAt('noisy', 5_000));
  expect(many.at(-1)).toBe(6_000);
  expect(nextAt('noisy', 6_000)).toBe(6_020);
  expect(nextAt('noisy', 9_000)).toBe(9_000);
});

test('it remembers a bounded number of requesters', () => {
  const nextAt = pacer(1);
  nextAt('a', 0);
  nextAt('b', 0);
  expect(nextAt('a', 0)).toBe(0);
});
