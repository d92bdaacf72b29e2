import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { testsWithoutDatabase } from './needs-database.ts';

const found = testsWithoutDatabase();

test('a test that starts the service, or takes a database, is none of those without one', () => {
  expect(found).not.toContain('test/support/database.test.ts');
  expect(found).not.toContain('test/grants/routes.test.ts');
});

test('a test that asks for no database is', () => {
  expect(found).toContain('test/support/needs-database.test.ts');
  expect(found).toContain('test/support/fuzz.test.ts');
});

test('none of them names what a database comes from', async () => {
  for (const file of found.filter((one) => one !== 'test/support/needs-database.test.ts'))
    expect([file, /createTestDatabase\(|startService\(/.test(await readFile(file, 'utf8'))]).toEqual([
      file,
      false,
    ]);
});
