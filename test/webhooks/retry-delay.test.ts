import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseRetryAfter, retryDelay } from '../../src/webhooks/retry-delay.ts';

const delays = (random: number, retryAfter: number | null = null) =>
  [1, 2, 3, 4].map((attempts) => retryDelay(attempts, { baseSeconds: 30, retryAfter, random }));

describe('the pause before the next attempt, in seconds', () => {
  test('doubles, give or take a quarter', () => {
    expect(delays(0)).toEqual([22.5, 45, 90, 180]);
    expect(delays(0.5)).toEqual([30, 60, 120, 240]);
    expect(delays(1)).toEqual([37.5, 75, 150, 300]);
  });

  test('is longer where the receiver asked for it, and never shorter', () => {
    expect(delays(0.5, 100)).toEqual([100, 100, 120, 240]);
    for (const soon of [0, 1, 7, 30]) expect(delays(0.5, soon)).toEqual([30, 60, 120, 240]);
  });

  test('is never less than a second nor more than a day', () => {
    expect(retryDelay(1, { baseSeconds: 0, retryAfter: 0, random: 1 })).toBe(1);
    expect(delays(0.5, 999_999_999)).toEqual([86_400, 86_400, 86_400, 86_400]);
    expect(retryDelay(20, { baseSeconds: 30, retryAfter: null, random: 1 })).toBe(86_400);
  });
});

describe('Retry-After', () => {
  const now = Date.UTC(2026, 10, 24, 12, 0, 0);
  const { TZ = 'UTC' } = process.env;
  // Far from GMT, which every HTTP-date is in.
  beforeAll(() => {
    process.env['TZ'] = 'Asia/Tokyo';
  });
  afterAll(() => {
    process.env['TZ'] = TZ;
  });
  test.each([
    ['120', 120],
    ['0', 0],
    [' 5 ', 5],
    ['Tue, 24 Nov 2026 12:01:30 GMT', 90],
    ['Tuesday, 24-Nov-26 12:01:30 GMT', 90],
    ['Tue, 24 Nov 2026 11:00:00 GMT', 0],
    ['Tue Nov 24 12:01:30 2026', 90],
  ])('%j', (text, seconds) => {
    expect(parseRetryAfter(text, now)).toBe(seconds);
  });

  test.each([
    [undefined],
    [''],
    ['soon'],
    ['-5'],
    ['1.5'],
    ['1e3'],
    ['2026-11-24T12:01:30Z'],
    ['12345678901'],
  ])('%j says nothing', (text) => {
    expect(parseRetryAfter(text, now)).toBeNull();
  });
});
