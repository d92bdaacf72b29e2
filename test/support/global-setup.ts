import type { TestProject } from 'vitest/node';
import { type PgBouncer, startPgBouncer } from './pgbouncer.ts';
import { startTestServer } from './test-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A superuser's URL of the one PostgreSQL of this run; tests take databases of their own from `createTestDatabase`. */
    databaseUrl: string;
    /** The same server as the code under test is to reach it: by way of a PgBouncer in the project of that name. */
    serviceDatabaseUrl: string;
  }
}

/**
 * One PostgreSQL for the whole run, with a migrated template that each test database is cloned from. For the project
 * `pgbouncer` there is a PgBouncer in front of it, and all that is tested goes through that.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const database = await startTestServer();
  let pgbouncer: PgBouncer | undefined;
  try {
    if (project.name === 'pgbouncer') pgbouncer = await startPgBouncer(database.url);
  } catch (error) {
    await database.stop();
    throw error;
  }
  project.provide('databaseUrl', database.url);
  project.provide('serviceDatabaseUrl', pgbouncer?.through(database.url) ?? database.url);
  return async () => {
    await pgbouncer?.stop();
    await database.stop();
  };
}
