import { expect, test } from 'vitest';
import { STANDARD_VARIABLES } from '../../src/variables/opentelemetry.ts';
import { VARIABLES } from '../../src/variables/table.ts';
import { Faults, integer, string } from '../../src/variables/values.ts';
import { optional, VariableReader, variable } from '../../src/variables/variable.ts';

const reading = (env: Record<string, string>) => new VariableReader((name) => env[name]);
const number = variable('N', integer(1, 5), '3', 'A number.');
const word = optional('W', string(1, 5), 'A word.');
const parts = optional<string>('P', () => new Faults(['a must be b', 'c is no parameter']), 'Parts.');

test('a variable is what is set, else its default, else null', () => {
  expect(reading({ N: '4', W: 'word' }).read(number)).toBe(4);
  expect(reading({ N: '4', W: 'word' }).read(word)).toBe('word');
  for (const env of [{}, { N: '', W: '' }]) {
    expect(reading(env).read(number)).toBe(3);
    expect(reading(env).read(word)).toBeNull();
  }
});

test('every fault is gathered, with the name of its variable and without its value', () => {
  const reader = reading({ N: '9', W: 'too long', P: 'x' });
  expect([reader.read(number), reader.read(word), reader.read(parts)]).toEqual([3, null, null]);
  expect(reader.faults).toEqual([
    'N must be a whole number from 1 to 5',
    'W must be 1 to 5 characters',
    'P: a must be b',
    'P: c is no parameter',
  ]);
});

test('a default that is not of its format is a mistake in the table', () => {
  expect(() => variable('N', integer(1, 5), '9', 'A number.')).toThrow('N: bad default');
});

test('each variable is in the table once, with a text', () => {
  const all = [...Object.values(VARIABLES), ...STANDARD_VARIABLES];
  const names = all.map(({ name }) => name);
  expect([...new Set(names)]).toEqual(names);
  expect(all.filter(({ text }) => text === '').map(({ name }) => name)).toEqual([]);
});
