import { expect, test } from 'vitest';
import { createMemoryCounter } from '../../src/http/memory-counter.ts';

test('requests of a key count up within its window, which begins with the first of them', () => {
  let time = 1000;
  const count = createMemoryCounter(10, () => time);
  expect(count('a', 60)).toEqual({ consumedPoints: 1, msBeforeNext: 60_000 });
  time += 59_999;
  expect(count('a', 60)).toEqual({ consumedPoints: 2, msBeforeNext: 1 });
  expect(count('b', 10)).toEqual({ consumedPoints: 1, msBeforeNext: 10_000 });
  time += 1;
  expect(count('a', 60)).toEqual({ consumedPoints: 1, msBeforeNext: 60_000 });
});

test('beyond the bound the key that was used least recently is forgotten, and no other', () => {
  const count = createMemoryCounter(2, () => 0);
  count('a', 60);
  count('b', 60);
  count('a', 60);
  count('c', 60);
  expect(count('a', 60).consumedPoints).toBe(3);
  expect(count('c', 60).consumedPoints).toBe(2);
  expect(count('b', 60).consumedPoints).toBe(1);
});
