import { expect, test } from 'vitest';
import { isCompactJws } from '../src/compact-jws.ts';

test('the encoder has one spelling, and only that one is taken', () => {
  // The last character of two bytes carries four bits of them, and two that decoders ignore.
  const written = Buffer.from('ab').toString('base64url');
  expect(written).toBe('YWI');
  const spellings = ['YWI', 'YWJ', 'YWK', 'YWL'];
  expect(spellings.map((one) => Buffer.from(one, 'base64url').toString())).toEqual(Array(4).fill('ab'));
  expect(spellings.map((one) => isCompactJws(`YQ.YQ.${one}`))).toEqual([true, false, false, false]);
  expect(spellings.map((one) => isCompactJws(`${one}.YQ.YQ`))).toEqual([true, false, false, false]);
});

test.each(['', 'YQ', 'YQ.YQ', 'YQ.YQ.YQ.YQ', 'YQ.YQ.YQ=', 'YQ.YQ.YQ ', 'YQ.YQ.YQ\n', '.YQ.YQ', 'YQ.YQ.Y'])(
  '%j is none',
  (text) => {
    expect(isCompactJws(text)).toBe(false);
  },
);

test('an unsigned one has an empty last part', () => {
  expect(isCompactJws('YQ.YQ.')).toBe(true);
});
