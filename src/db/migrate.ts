import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { BunSqlLike } from 'pg-boss';
import postgres from 'postgres';
import { JOBS_SCHEMA } from './jobs-schema.ts';

const DIRECTORY = new URL('./migrations/', import.meta.url);
/** Any constant will do, as long as every version of this service uses the same one. */
const LOCK_KEY = 4_917_205_113;
const LOCK_RETRY_MS = 50;

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

/** No prepared statements: works through PgBouncer, and a migration file may hold many statements. */
function connect(databaseUrl: string): postgres.Sql {
  return postgres(databaseUrl, {
    max: 3,
    prepare: false,
    fetch_types: false,
    connect_timeout: 10,
    onnotice: () => undefined,
  });
}

/**
 * One transaction under the lock, alone among all replicas. Whoever waits asks again instead of waiting in the database: there
 * it would keep a connection, of which a pooler may have few, from the one that holds the lock and needs another.
 */
async function underLock<T>(
  sql: postgres.Sql,
  work: (tx: postgres.TransactionSql) => Promise<T>,
): Promise<T> {
  for (;;) {
    const done = await sql.begin(async (tx) => {
      const [row] = await tx<{ locked: boolean }[]>`select pg_try_advisory_xact_lock(${LOCK_KEY}) as locked`;
      return row?.locked ? { result: await work(tx) } : null;
    });
    if (done) return done.result as T;
    await delay(LOCK_RETRY_MS);
  }
}

function pending(
  migrations: Migration[],
  ledger: readonly { name: string; checksum: string }[],
): Migration[] {
  const known = new Map(ledger.map((row) => [row.name, row.checksum]));
  for (const { name, checksum } of migrations)
    if (known.has(name) && known.get(name) !== checksum)
      throw new Error(`migration ${name} was changed after it had been applied`);
  return migrations.filter(({ name }) => !known.has(name));
}

/**
 * Brings the database to the newest schema. All pending migrations are one transaction under an advisory lock, so two
 * replicas that start at once apply each of them exactly once, and a failure leaves the schema as it was.
 *
 * The tables of the job queue are made after that, under a lock of their own; `upgradeJobs` also brings older ones to the
 * version of this release, which otherwise happens when the first replica opens the queue.
 * @returns the names that this call applied, in order
 * @throws when a migration fails, or when one that was applied earlier has been edited since
 */
export async function migrate(
  databaseUrl: string,
  { upgradeJobs = false } = {},
): Promise<{ applied: string[] }> {
  const sql = connect(databaseUrl);
  try {
    const applied = await underLock(sql, async (tx) => {
      await tx`create table if not exists schema_migrations (
        name text primary key, checksum text not null, applied_at timestamptz not null default now())`;
      const ledger = await tx<
        { name: string; checksum: string }[]
      >`select name, checksum from schema_migrations`;
      const todo = pending(readMigrations(), ledger);
      for (const { name, text, checksum } of todo) {
        await tx.unsafe(text);
        await tx`insert into schema_migrations (name, checksum) values (${name}, ${checksum})`;
      }
      return todo.map(({ name }) => name);
    });
    if (upgradeJobs || !(await hasJobs(sql))) await installJobs(sql);
    return { applied };
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/**
 * For a start without migrations (`MIGRATE_ON_START=false`): the schema must already be the newest.
 * @throws naming the migrations that are missing
 */
export async function assertMigrated(databaseUrl: string): Promise<void> {
  const sql = connect(databaseUrl);
  try {
    const [table] = await sql<
      { found: boolean }[]
    >`select to_regclass('schema_migrations') is not null as found`;
    const ledger = table?.found
      ? await sql<{ name: string; checksum: string }[]>`select name, checksum from schema_migrations`
      : [];
    const missing = pending(readMigrations(), ledger).map(({ name }) => name);
    if (!(await hasJobs(sql))) missing.push('the tables of the job queue');
    if (missing.length > 0)
      throw new Error(
        `the database lacks ${missing.join(', ')}: run "npm run migrate", or set MIGRATE_ON_START=true`,
      );
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/**
 * The library cannot make its schema twice at one moment: replicas take turns under the lock, which one connection holds
 * while the library works on another. Loaded here, because a start that finds all in place shall not pay for it.
 */
async function installJobs(sql: postgres.Sql): Promise<void> {
  const { migrateJobs } = await import('./job-queue.ts');
  await underLock(sql, () => migrateJobs(sql as unknown as BunSqlLike));
}

async function hasJobs(sql: postgres.Sql): Promise<boolean> {
  const [row] = await sql<
    { found: boolean }[]
  >`select to_regclass(${`${JOBS_SCHEMA}.version`}) is not null as found`;
  return row?.found === true;
}
