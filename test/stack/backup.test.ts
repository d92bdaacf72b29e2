import { randomBytes } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import postgres from 'postgres';
import { afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { npmOutput } from '../support/command.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { withDatabaseName } from '../support/database-url.ts';
import {
  runToEnd,
  SECRET_KEY,
  startService,
  type TestService,
  temporaryDirectory,
} from '../support/service.ts';
import { clientPrograms, expectContent, makeContent, revoke, runBlock } from './backup/backup.ts';

/** The issuer of the tokens must be the same before and after, on any port. */
const ISSUER = { PUBLIC_URL: 'https://auth.example.com' };

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
const services = new Set<TestService>();
const databases: TestDatabase[] = [];
beforeAll(() => clientPrograms());
beforeEach(async () => {
  directory = await temporaryDirectory();
});
afterEach(async () => {
  for (const service of services) await service.stop();
  services.clear();
  for (const database of databases.splice(0)) await database.drop();
  await directory.remove();
});

async function start(options: Parameters<typeof startService>[0] = {}): Promise<TestService> {
  const service = await startService({ ...options, env: { ...ISSUER, ...options.env } });
  services.add(service);
  return service;
}
async function stop(service: TestService): Promise<void> {
  services.delete(service);
  expect(await service.stop()).toBe(0);
}

/** Makes a database without any table. */
async function emptyDatabase(): Promise<TestDatabase> {
  const admin = postgres(inject('databaseUrl'), { max: 1 });
  const name = `restored_${randomBytes(8).toString('hex')}`;
  await admin`create database ${admin(name)} template template0`;
  const url = withDatabaseName(inject('databaseUrl'), name);
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  const drop = async () => {
    await sql.end({ timeout: 1 });
    await admin`drop database ${admin(name)} with (force)`;
    await admin.end();
  };
  const database = { url, sql, drop };
  databases.push(database);
  return database;
}

const tableCounts = async ({ sql }: TestDatabase) => {
  const tables = await sql<{ name: string }[]>`select format('%I.%I', schemaname, tablename) as name
    from pg_tables where schemaname in ('public', 'jobs') order by 1`;
  const counts: [string, number][] = [];
  for (const { name } of tables) {
    const [row] = await sql.unsafe<{ rows: number }[]>(`select count(*)::int as rows from ${name}`);
    counts.push([name, row?.rows ?? -1]);
  }
  return counts;
};

describe('a dump', () => {
  async function restored() {
    const database = await createTestDatabase();
    databases.push(database);
    const before = await start({ database });
    const content = await makeContent(before);
    await runBlock('backup', directory.path, { DATABASE_URL: database.url });
    return { before, database, content };
  }

  test('taken from a running service brings back tokens, chain and keys, in an empty database', async () => {
    const { before, database, content } = await restored();
    await stop(before);
    const copy = await emptyDatabase();
    await runBlock('restore', directory.path, { RESTORED_URL: copy.url });
    const [original, counts] = [await tableCounts(database), await tableCounts(copy)];
    expect(counts.map(([name]) => name)).toEqual(original.map(([name]) => name));
    expect(Object.fromEntries(counts)).toMatchObject({ 'public.grants': 3, 'public.audit_entries': 3 });

    const env = { DATABASE_URL: copy.url, SECRET_KEY };
    expect(await npmOutput('migrate', [], env)).toBe('nothing to do: the schema is current\n');
    const after = await start({ database: copy, env: { MIGRATE_ON_START: 'false' } });
    await expectContent(after, content);
    const keys = await npmOutput('keys', ['list'], env);
    expect(keys.split('\n').filter((line) => /\bsigns /.test(line))).toHaveLength(1);
  });

  test('brings back what was revoked since, and knows nothing of what was issued since', async () => {
    const { before, content } = await restored();
    const { party, kept } = content;
    const issuedSince = await party.grant();
    await revoke(before, party, kept);
    await stop(before);
    const copy = await emptyDatabase();
    await runBlock('restore', directory.path, { RESTORED_URL: copy.url });
    const after = await start({ database: copy });
    const verify = async (token: string) =>
      (await after.request('POST', '/v1/tokens/verify', { key: party.key, body: { token } })).body.valid;
    expect(await verify(kept.grantToken)).toBe(true);
    expect(await verify(issuedSince.grantToken)).toBe(false);
    await expectContent(after, content);
  });

  test('is worth nothing without SECRET_KEY', async () => {
    const { before } = await restored();
    await stop(before);
    const copy = await emptyDatabase();
    await runBlock('restore', directory.path, { RESTORED_URL: copy.url });
    const { code, logs } = await runToEnd({
      DATABASE_URL: copy.url,
      SECRET_KEY: Buffer.alloc(32, 8).toString('base64'),
      PORT: '0',
    });
    expect(code).toBe(78);
    expect(logs.at(-1)).toMatchObject({
      level: 'fatal',
      faults: [
        'SECRET_KEY does not open the signing keys in the database: it is not the one they were sealed with',
      ],
    });
  });
});

describe('a copy of DATA_DIR', () => {
  test('of a stopped service brings back tokens, chain and keys', async () => {
    const [data, backup] = [join(directory.path, 'data'), join(directory.path, 'backup')];
    // The service uses the embedded database and generates its own key.
    const env = { DATABASE_URL: '', SECRET_KEY: '', DATA_DIR: data };
    const nowhere = { url: '', sql: undefined as never, drop: async () => undefined };
    const before = await start({ env, database: nowhere });
    const content = await makeContent(before);
    await stop(before);
    await runBlock('cold-copy', directory.path, { DATA_DIR: data, BACKUP: backup });
    await rm(data, { recursive: true });
    await rename(backup, data);
    const after = await start({ env, database: nowhere });
    await expectContent(after, content);
  });
});
