import { expect, test } from 'vitest';
import { fuzz } from './fuzz.ts';

test('the gate runs the same every time', () => {
  expect(fuzz('MODEL', 40, {})).toEqual({
    runs: 40,
    seed: 1,
    long: false,
    again: 'MODEL_SEED=1 MODEL_RUNS=40',
  });
});

test('the night has more runs, each time from another seed, which is told', () => {
  const nights = [1, 2, 3].map(() => fuzz('MODEL', 40, { MODEL_RUNS: '500' }));
  expect(new Set(nights.map(({ seed }) => seed)).size).toBe(3);
  for (const { seed, again } of nights) expect(again).toBe(`MODEL_SEED=${seed} MODEL_RUNS=500`);
});

test('a named seed is taken, and only that of this test', () => {
  expect(fuzz('MODEL', 40, { MODEL_RUNS: '500', MODEL_SEED: '7', CONTRACT_SEED: '8' })).toMatchObject({
    runs: 500,
    seed: 7,
    long: true,
  });
});
