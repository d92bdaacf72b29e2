import type { TestProject } from 'vitest/node';
import { type PgBouncer, startPgBouncer } from './pgbouncer.ts';
import { startTestServer } from './test-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The URL of a superuser of the one PostgreSQL of this run. Tests get databases from `createTestDatabase`. */
    databaseUrl: string;
    /** The URL for the code under test: the same server, in the project `pgbouncer` through a PgBouncer. */
    serviceDatabaseUrl: string;
  }
}

/**
 * Starts one PostgreSQL for the whole run, with a migrated template for the test databases. In the project `pgbouncer`,
 * the code under test connects through a PgBouncer.
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
