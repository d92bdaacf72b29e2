import { existsSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TEMPLATE, withDatabaseName } from './database-url.ts';
import { query } from './embedded.ts';
import { temporaryDirectory } from './service.ts';
import { startTestServer } from './test-server.ts';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let kept: string;
beforeAll(async () => {
  directory = await temporaryDirectory();
  kept = join(directory.path, 'cache', 'data');
});
afterAll(() => directory?.remove());

/** The names of the tables of a clone of the template, as a test has it. */
async function tablesOf(url: string): Promise<string[]> {
  await query(url, (sql) => sql`create database clone template ${sql(TEMPLATE)}`);
  const rows = await query(
    withDatabaseName(url, 'clone'),
    (sql) => sql<{ name: string }[]>`select tablename as name from pg_tables where schemaname = 'public'`,
  );
  return rows.map(({ name }) => name);
}

test('the first run keeps its data, and the next one begins with a copy: neither sees what the other does', async () => {
  const first = await startTestServer(kept);
  expect(await tablesOf(first.url)).toContain('grants');
  const { ino } = await stat(kept);
  const second = await startTestServer(kept);
  expect(await tablesOf(second.url)).toContain('grants');
  expect((await stat(kept)).ino).toBe(ino);
  await Promise.all([first.stop(), second.stop()]);
});

test('kept data that cannot be used are made anew', async () => {
  await rm(join(kept, 'postgres/global'), { recursive: true });
  const server = await startTestServer(kept);
  expect(await tablesOf(server.url)).toContain('grants');
  await server.stop();
  expect(existsSync(join(kept, 'postgres/global'))).toBe(true);
});
