import postgres from 'postgres';
import { expect, inject, test } from 'vitest';
import { createTestDatabase } from './database.ts';

test('each test database is a migrated one of its own', async () => {
  const [one, other] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  try {
    const ledger = await one.sql`select name from schema_migrations`;
    expect(ledger.length).toBeGreaterThan(0);
    await one.sql`create table only_here (id int)`;
    const [row] = await other.sql`select to_regclass('only_here') as found`;
    expect(row).toEqual({ found: null });
  } finally {
    await Promise.all([one.drop(), other.drop()]);
  }
});

test('dropping ends the connections that were left open', async () => {
  const database = await createTestDatabase();
  const left = postgres(database.url, { max: 1, onnotice: () => undefined });
  await left`select 1`;
  const name = new URL(database.url).pathname.slice(1);
  await database.drop();
  await left.end({ timeout: 1 });
  const admin = postgres(inject('databaseUrl'), { max: 1 });
  try {
    const [row] = await admin`select count(*)::int as databases from pg_database where datname = ${name}`;
    expect(row).toEqual({ databases: 0 });
  } finally {
    await admin.end();
  }
});
