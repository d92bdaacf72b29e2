import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { NO_DATABASE_TELEMETRY } from '../telemetry/database.ts';
import { type Background, openDatabase } from './client.ts';
import { bool, text } from './column-types.ts';
import { isLockTimeout } from './errors.ts';
import { JOBS_SCHEMA } from './jobs-schema.ts';
import { MIGRATION_LIMITS } from './limits.ts';
import { query } from './query.ts';
import type { Queryable } from './queryable.ts';

const DIRECTORY = new URL('./migrations/', import.meta.url);
/** Any constant works, as long as every version of this service uses the same one. */
const LOCK_KEY = 4_917_205_113;
const LOCK_RETRY_MS = 50;
/** How often migrations that got no lock start again, and after what pause. */
const ATTEMPTS = 10;
const ATTEMPT_PAUSE_MS = 1_000;

interface Migration {
  readonly name: string;
  readonly text: string;
  readonly checksum: string;
}

function readMigrations(): Migration[] {
  return readdirSync(DIRECTORY)
    .filter((name) => /^\d{4}_[a-z0-9_]+\.sql$/.test(name))
    .sort()
    .map((name) => {
      const text = readFileSync(new URL(name, DIRECTORY), 'utf8');
      return { name, text, checksum: createHash('sha256').update(text).digest('hex') };
    });
}

const collection = 'schema_migrations';
const tryLock = query({
  operation: 'SELECT',
  collection,
  name: 'migrate.lock',
  text: `select pg_try_advisory_xact_lock(${LOCK_KEY}) as locked`,
  params: {},
  row: { locked: bool },
});
const ledger = query({
  operation: 'SELECT',
  collection,
  name: 'migrate.ledger',
  text: 'select name, checksum from schema_migrations',
  params: {},
  row: { name: text, checksum: text },
});
const recordMigration = query({
  operation: 'INSERT',
  collection,
  name: 'migrate.note',
  text: 'insert into schema_migrations (name, checksum) values ($name, $checksum)',
  params: { name: text, checksum: text },
  row: {},
});
const hasTable = query({
  operation: 'SELECT',
  collection,
  name: 'migrate.has_table',
  text: 'select to_regclass($name) is not null as found',
  params: { name: text },
  row: { found: bool },
});
const LEDGER = `create table if not exists schema_migrations (
  name text primary key, checksum text not null, applied_at timestamptz not null default now())`;

type Applied = readonly { readonly name: string; readonly checksum: string }[];

/** Does `work` on connections of its own, with the limits of migrations. */
async function withConnections<T>(databaseUrl: string, work: (db: Background) => Promise<T>): Promise<T> {
  let lastError: Error | undefined;
  const db = openDatabase({
    url: databaseUrl,
    poolMax: 1,
    telemetry: NO_DATABASE_TELEMETRY,
    limits: MIGRATION_LIMITS,
    onConnectionError: (error) => {
      lastError = error;
    },
  });
  try {
    return await work(db.background);
  } catch (error) {
    // "Unavailable" would not help the operator who starts a service.
    throw lastError ?? error;
  } finally {
    await db.close(5_000);
  }
}

/**
 * Runs one transaction under the lock, which only one replica holds at a time. A waiting replica asks again instead of waiting
 * in the database. There it would occupy a connection. A pooler may have few, and the holder of the lock needs another one.
 */
async function underLock<T>(db: Background, work: (tx: Queryable) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; ) {
    try {
      const done = await db.transaction(async (tx) => {
        return (await tx.only(tryLock, {})).locked ? { result: await work(tx) } : null;
      });
      if (done) return done.result;
      await delay(LOCK_RETRY_MS);
    } catch (error) {
      if (!isLockTimeout(error) || attempt++ >= ATTEMPTS) throw error;
      await delay(ATTEMPT_PAUSE_MS);
    }
  }
}

function pending(migrations: Migration[], applied: Applied): Migration[] {
  const known = new Map(applied.map((row) => [row.name, row.checksum]));
  for (const { name, checksum } of migrations)
    if (known.has(name) && known.get(name) !== checksum)
      throw new Error(`migration ${name} was changed after it had been applied`);
  return migrations.filter(({ name }) => !known.has(name));
}

/**
 * Brings the database to the newest schema. All pending migrations run in one transaction under an advisory lock. So two
 * replicas that start at once apply each of them exactly once, and a failure leaves the schema as it was. A migration that
 * cannot lock a table soon gives up and starts again, some ten times, because later statements would wait behind it.
 *
 * The tables of the job queue come next, under a lock of their own. `upgradeJobs` also brings older tables to the version of
 * this release. Otherwise that happens when the first replica opens the queue.
 * @returns the names that this call applied, in order
 * @throws when a migration fails, or when one that was applied earlier has been edited since
 */
export function migrate(databaseUrl: string, { upgradeJobs = false } = {}): Promise<{ applied: string[] }> {
  return withConnections(databaseUrl, async (db) => {
    const applied = await underLock(db, async (tx) => {
      const { unsafe } = db.driver(tx);
      await unsafe(LEDGER);
      const todo = pending(readMigrations(), await tx.all(ledger, {}));
      for (const { name, text, checksum } of todo) {
        await unsafe(text);
        await tx.all(recordMigration, { name, checksum });
      }
      return todo.map(({ name }) => name);
    });
    if (upgradeJobs || !(await tableExists(db, `${JOBS_SCHEMA}.version`))) await installJobs(db);
    return { applied };
  });
}

/**
 * For a start without migrations (`MIGRATE_ON_START=false`): the schema must already be the newest.
 * @throws naming the migrations that are missing
 */
export function assertMigrated(databaseUrl: string): Promise<void> {
  return withConnections(databaseUrl, async (db) => {
    const applied: Applied = (await tableExists(db, 'schema_migrations')) ? await db.all(ledger, {}) : [];
    const missing = pending(readMigrations(), applied).map(({ name }) => name);
    if (!(await tableExists(db, `${JOBS_SCHEMA}.version`))) missing.push('the tables of the job queue');
    if (missing.length > 0)
      throw new Error(
        `the database lacks ${missing.join(', ')}: run "npm run migrate", or set MIGRATE_ON_START=true`,
      );
  });
}

/**
 * The library cannot create its schema twice at the same moment, so replicas take turns under the lock. One connection holds
 * the lock while the library works on another. The library is loaded here, because a start that finds its tables needs none.
 */
async function installJobs(db: Background): Promise<void> {
  const { migrateJobs } = await import('./job-queue.ts');
  await underLock(db, () => migrateJobs(db.driver()));
}

async function tableExists(db: Queryable, table: string): Promise<boolean> {
  return (await db.only(hasTable, { name: table })).found;
}
