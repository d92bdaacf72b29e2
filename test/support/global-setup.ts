import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import type { TestProject } from 'vitest/node';
import { migrate } from '../../src/db/migrate.ts';
import { startEmbeddedDatabase } from '../../src/embedded-postgres/start.ts';
import { TEMPLATE, withDatabaseName } from './database-url.ts';
import { type PgBouncer, startPgBouncer } from './pgbouncer.ts';

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
  const dataDir = await mkdtemp(join(tmpdir(), 'grantex-test-'));
  const lines: string[] = [];
  const database = await startEmbeddedDatabase({
    dataDir,
    durable: false,
    onLog: (line) => lines.push(line),
  });
  let pgbouncer: PgBouncer | undefined;
  const teardown = async () => {
    await pgbouncer?.stop();
    await database.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    await makeTemplate(database.url);
    if (project.name === 'pgbouncer') pgbouncer = await startPgBouncer(database.url);
  } catch (error) {
    await teardown();
    throw new Error(`the databases of the tests cannot be made; PostgreSQL said: ${lines.join('\n')}`, {
      cause: error,
    });
  }
  project.provide('databaseUrl', database.url);
  project.provide('serviceDatabaseUrl', pgbouncer?.through(database.url) ?? database.url);
  return teardown;
}

async function makeTemplate(adminUrl: string): Promise<void> {
  const admin = postgres(adminUrl, { max: 1 });
  try {
    await admin`create database ${admin(TEMPLATE)}`;
    await migrate(withDatabaseName(adminUrl, TEMPLATE));
    // A database with open connections cannot be cloned, so nobody may connect to this one by accident.
    await admin`alter database ${admin(TEMPLATE)} with is_template true allow_connections false`;
  } finally {
    await admin.end();
  }
}
