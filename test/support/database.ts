import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { inject } from 'vitest';
import { TEMPLATE, withDatabaseName } from './database-url.ts';

/** A migrated, empty database that belongs to one test or test file. */
export interface TestDatabase {
  /** For the code under test. */
  readonly url: string;
  /** For queries of the test itself. */
  readonly sql: postgres.Sql;
  /** Closes `sql` and drops the database. Ends connections that the code under test left open. */
  drop(): Promise<void>;
}

/** Clones the template; safe to call from many test files at once. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const adminUrl = inject('databaseUrl');
  const name = `test_${randomBytes(8).toString('hex')}`;
  await asAdmin(adminUrl, (admin) => admin`create database ${admin(name)} template ${admin(TEMPLATE)}`);
  const sql = postgres(withDatabaseName(adminUrl, name), { max: 2, onnotice: () => undefined });
  return {
    url: withDatabaseName(inject('serviceDatabaseUrl'), name),
    sql,
    drop: async () => {
      await sql.end({ timeout: 1 });
      await asAdmin(adminUrl, (admin) => admin`drop database if exists ${admin(name)} with (force)`);
    },
  };
}

async function asAdmin(url: string, work: (admin: postgres.Sql) => PromiseLike<unknown>): Promise<void> {
  const admin = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    await work(admin);
  } finally {
    await admin.end();
  }
}
