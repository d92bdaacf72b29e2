import { readdirSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { assertMigrated, migrate } from '../../src/db/migrate.ts';
import { npmOutput, npmRun } from '../support/command.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty } from '../support/flow.ts';
import { runToEnd, SECRET_KEY, startService } from '../support/service.ts';

const MIGRATIONS = readdirSync(new URL('../../src/db/migrations/', import.meta.url)).sort();
const LACKS = `the database lacks ${MIGRATIONS.join(', ')}: run "npm run migrate", or set MIGRATE_ON_START=true`;

let database: TestDatabase;
let env: Record<string, string>;
beforeEach(async () => {
  database = await createTestDatabase();
  env = { DATABASE_URL: database.url, SECRET_KEY };
});
afterEach(() => database.drop());

const empty = () => database.sql.unsafe('drop schema public cascade; create schema public');
const ledger = async () =>
  (await database.sql`select name from schema_migrations order by name`).map(({ name }) => name);

test('two replicas that start at once on an empty database apply every migration once', async () => {
  await empty();
  const services = await Promise.all([startService({ database }), startService({ database })]);
  expect(await ledger()).toEqual(MIGRATIONS);
  for (const service of services) expect((await service.request('GET', '/health')).status).toBe(200);
  await Promise.all(services.map((service) => service.stop()));
});

test('of many migrations at once one applies each, and the others wait for it', async () => {
  await empty();
  const runs = await Promise.all(Array.from({ length: 6 }, () => migrate(database.url)));
  expect(runs.flatMap(({ applied }) => applied)).toEqual(MIGRATIONS);
  await expect(assertMigrated(database.url)).resolves.toBeUndefined();
});

test('a migration that was edited after it had been applied is refused, by every way to start', async () => {
  const [name = ''] = MIGRATIONS;
  await database.sql`update schema_migrations set checksum = 'edited' where name = ${name}`;
  const reason = `migration ${name} was changed after it had been applied`;
  await expect(migrate(database.url)).rejects.toThrow(reason);
  for (const MIGRATE_ON_START of ['true', 'false']) {
    const { code, logs } = await runToEnd({ ...env, PORT: '0', MIGRATE_ON_START });
    expect([code, logs.at(-1)]).toEqual([1, expect.objectContaining({ level: 'fatal', reason })]);
  }
});

test('a migration that fails leaves the schema as it was', async () => {
  await empty();
  await database.sql`create table agents (unlike text)`;
  await expect(migrate(database.url)).rejects.toThrow(/already exists/);
  const tables =
    await database.sql`select table_name as name from information_schema.tables where table_schema = 'public'`;
  expect(tables).toEqual([{ name: 'agents' }]);
});

test('MIGRATE_ON_START=false: an empty database is refused and left empty; a migrated one is served', async () => {
  const service = await startService({ database, env: { MIGRATE_ON_START: 'false' } });
  expect((await service.signup()).apiKey).toMatch(/^gx_live_/);
  await service.stop();
  await empty();
  const { code, logs } = await runToEnd({ ...env, PORT: '0', MIGRATE_ON_START: 'false' });
  expect([code, logs.at(-1)]).toEqual([1, expect.objectContaining({ level: 'fatal', reason: LACKS })]);
  expect(
    await database.sql`select table_name from information_schema.tables where table_schema = 'public'`,
  ).toEqual([]);
});

test('npm run migrate: applies, then has nothing to do, and tells a fault on stderr', async () => {
  await empty();
  expect(await npmOutput('migrate', [], env)).toBe(`applied ${MIGRATIONS.join(', ')}\n`);
  expect(await npmOutput('migrate', [], env)).toBe('nothing to do: the schema is current\n');
  expect(await ledger()).toEqual(MIGRATIONS);
  await database.sql`update schema_migrations set checksum = 'edited'`;
  const edited = await npmRun('migrate', [], env);
  expect(edited).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/was changed/) });
  const faulty = await npmRun('migrate', [], { ...env, DATABASE_POOL_MAX: '0' });
  expect(faulty).toMatchObject({ code: 78, stderr: expect.stringMatching(/^DATABASE_POOL_MAX must be/) });
});

test('npm run migrate migrates nothing when it is asked for help, or for what it does not know', async () => {
  await empty();
  const codes = [];
  for (const word of ['--help', '--bogus', 'extra']) codes.push((await npmRun('migrate', [word], env)).code);
  expect(codes).toEqual([0, 2, 2]);
  expect(
    await database.sql`select table_name from information_schema.tables where table_schema = 'public'`,
  ).toEqual([]);
});

test('npm run migrate asks for no SECRET_KEY, and names DATABASE_URL when there is no database', async () => {
  await npmOutput('migrate', [], { DATABASE_URL: database.url });
  const nowhere = { DATABASE_URL: 'postgres://nobody:hunter2@127.0.0.1:1/none' };
  expect(await npmRun('migrate', [], nowhere)).toEqual({
    code: 1,
    stdout: '',
    stderr: 'DATABASE_URL: connect ECONNREFUSED 127.0.0.1:1\n',
  });
});

test('npm run keys -- list reads only: it names the missing migrations, and asks for no SECRET_KEY', async () => {
  await empty();
  const without = { DATABASE_URL: database.url };
  expect(await npmRun('keys', ['list'], without)).toEqual({ code: 1, stdout: '', stderr: `${LACKS}\n` });
  expect(
    await database.sql`select table_name from information_schema.tables where table_schema = 'public'`,
  ).toEqual([]);
  await migrate(database.url);
  expect(await npmOutput('keys', ['list'], without)).toMatch(/^no keys yet/);
});

test.each(['true', 'false'])(
  'the release before starts on the schema of the next one (MIGRATE_ON_START=%s): so an upgrade can be taken back',
  async (MIGRATE_ON_START) => {
    await database.sql`insert into schema_migrations (name, checksum) values ('9999_of_the_next_release.sql', 'x')`;
    await database.sql`alter table grants add column of_the_next_release text`;
    await database.sql`update jobs.version set version = version + 1`;
    const service = await startService({ database, env: { MIGRATE_ON_START } });
    const party = await newParty(service);
    const { grantToken } = await party.grant();
    expect(await party.verify(grantToken)).toBe(true);
    expect(await service.stop()).toBe(0);
    expect((await ledger()).at(-1)).toBe('9999_of_the_next_release.sql');
  },
);
