import { expect, test } from 'vitest';
import { VALUE_TYPES } from '../../src/db/value-types.ts';

const { textArray, bytes, boolean } = VALUE_TYPES;

test.each([
  ['an array', textArray, ['a', 'NULL', '"', '\\', '', 'x,y', '{}']],
  ['bytes', bytes, Buffer.from([0, 1, 255])],
  ['true', boolean, true],
  ['false', boolean, false],
] as const)('%s is read back as it was, also when the driver writes it twice', (_what, type, value) => {
  const serialize: (value: never) => string = type.serialize;
  const written = serialize(value as never);
  expect(serialize(written as never)).toBe(written);
  expect(type.parse(written)).toEqual(value);
});
