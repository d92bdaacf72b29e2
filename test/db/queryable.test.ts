import { expect, test } from 'vitest';
import { text } from '../../src/db/column-types.ts';
import { query } from '../../src/db/query.ts';
import { createQueryable } from '../../src/db/queryable.ts';

const names = query({
  operation: 'SELECT',
  name: 'test.names',
  text: 'select name from names where owner = $owner',
  params: { owner: text },
  row: { name: text },
});
const returning = (...rows: unknown[]) => createQueryable(async () => rows as never[]);

test('`first` is the first row, or undefined', async () => {
  expect(await returning({ name: 'a' }, { name: 'b' }).first(names, { owner: 'x' })).toEqual({ name: 'a' });
  expect(await returning().first(names, { owner: 'x' })).toBeUndefined();
});

test('`only` is the one row, and a statement without a row fails by its name', async () => {
  expect(await returning({ name: 'a' }).only(names, { owner: 'x' })).toEqual({ name: 'a' });
  await expect(returning().only(names, { owner: 'x' })).rejects.toThrow('test.names returned no row');
});
