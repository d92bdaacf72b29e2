import { existsSync, statSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { addRow, EmbeddedResources, processesOn, query } from '../support/embedded.ts';

const resources = new EmbeddedResources();
afterEach(() => resources.cleanUp());

const isRoot = process.getuid?.() === 0;
const mode = (path: string) => (statSync(path).mode & 0o7777).toString(8);

describe('a first start', () => {
  test('makes a durable database that only its owner can read, and a restart keeps its rows', async () => {
    const dataDir = join(await resources.directory(), 'data');
    const first = await resources.start({ dataDir });
    expect(await addRow(first.url)).toBe(1);
    expect([
      mode(dataDir),
      mode(join(dataDir, 'postgres')),
      mode(join(dataDir, 'postgres-password')),
    ]).toEqual(['700', '700', '600']);
    await first.stop();
    expect(await first.exited).toEqual({ code: 0, signal: null });
    expect(processesOn(dataDir)).toEqual([]);

    const second = await resources.start({ dataDir });
    expect(new URL(second.url).password).toBe(new URL(first.url).password);
    expect(await addRow(second.url)).toBe(2);
  });

  test('sets what one machine needs: fsync, loopback only, UTC, checksums', async () => {
    const { url } = await resources.start({ dataDir: await resources.directory() });
    const [settings] = await query(
      url,
      (sql) => sql`
        select current_setting('fsync') as fsync, current_setting('listen_addresses') as addresses,
               current_setting('timezone') as timezone, current_setting('max_connections') as connections,
               current_setting('data_checksums') as checksums, current_setting('server_encoding') as encoding`,
    );
    expect(settings).toEqual({
      fsync: 'on',
      addresses: '127.0.0.1',
      timezone: 'UTC',
      connections: '100',
      checksums: 'on',
      encoding: 'UTF8',
    });
  });

  test('closes an existing directory to others', async () => {
    const dataDir = await resources.directory(0o755);
    await resources.start({ dataDir, durable: false });
    expect(mode(dataDir)).toBe('700');
  });

  test('throws away what a first start that crashed left half made', async () => {
    const dataDir = await resources.directory();
    await mkdir(join(dataDir, 'postgres.partial/data/base'), { recursive: true });
    await writeFile(join(dataDir, 'postgres.partial/data/PG_VERSION'), '18\n');
    const { url } = await resources.start({ dataDir, durable: false });
    expect(await addRow(url)).toBe(1);
    expect(existsSync(join(dataDir, 'postgres.partial'))).toBe(false);
  });

  test('works with a relative path, with spaces, quotes and more bytes than a socket address holds', async () => {
    const dataDir = join(await resources.directory(), `it's a "long" $path ${'x'.repeat(120)}`);
    const { url } = await resources.start({ dataDir: relative(process.cwd(), dataDir), durable: false });
    expect(await addRow(url)).toBe(1);
    expect(processesOn(dataDir).length).toBeGreaterThan(2);
  });
});

describe('access', () => {
  test('a wrong password is refused', async () => {
    const { url } = await resources.start({ dataDir: await resources.directory(), durable: false });
    const wrong = new URL(url);
    wrong.password = 'guess';
    await expect(query(wrong.href, (sql) => sql`select 1`)).rejects.toMatchObject({ code: '28P01' });
  });

  test('postgres runs unprivileged, also below a directory that only root may enter', async () => {
    const { url } = await resources.start({
      dataDir: join(await resources.directory(0o700), 'data'),
      durable: false,
    });
    expect(await addRow(url)).toBe(1);
  });

  test('as root every process is of another uid; otherwise of our own', async () => {
    const dataDir = await resources.directory();
    await resources.start({ dataDir, durable: false });
    const uids = new Set(processesOn(dataDir).map(({ uid }) => uid));
    expect([...uids]).toEqual([isRoot ? 65534 : process.getuid?.()]);
  });

  test('the log tells of a failed statement, but not the values in it', async () => {
    const lines: string[] = [];
    const { url, stop } = await resources.start({
      dataDir: await resources.directory(),
      durable: false,
      onLog: (line) => lines.push(line),
    });
    const failing = query(url, async (sql) => {
      await sql`create table people (email text primary key)`;
      await sql.unsafe(`insert into people values ('private@example.com'), ('private@example.com')`);
    });
    await expect(failing).rejects.toMatchObject({ code: '23505' });
    await stop();
    const log = lines.join('\n');
    expect(log).toContain('duplicate key value violates unique constraint "people_pkey"');
    expect(log).not.toContain('private@example.com');
  });
});

describe('one service at a time', () => {
  test('a second start is refused with the pid of the first, and works after its end', async () => {
    const dataDir = await resources.directory();
    const first = await resources.start({ dataDir, durable: false });
    await expect(resources.start({ dataDir })).rejects.toThrow(
      `${dataDir} is in use by another running service (pid ${process.pid})`,
    );
    expect(await addRow(first.url)).toBe(1);
    await first.stop();
    const second = await resources.start({ dataDir, durable: false });
    expect(await addRow(second.url)).toBe(2);
  });

  test('of two starts at the same moment one wins', async () => {
    const dataDir = await resources.directory();
    const starts = await Promise.allSettled([
      resources.start({ dataDir, durable: false }),
      resources.start({ dataDir, durable: false }),
    ]);
    expect(starts.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  test('a start that failed leaves the directory free', async () => {
    const dataDir = await resources.directory();
    const first = await resources.start({ dataDir, durable: false });
    await first.stop();
    const version = join(dataDir, 'postgres/PG_VERSION');
    await writeFile(version, '17\n');
    await expect(resources.start({ dataDir })).rejects.toThrow(/does not start: .*incompatible/);
    await writeFile(version, '18\n');
    const second = await resources.start({ dataDir, durable: false });
    expect(await addRow(second.url)).toBe(1);
  });
});

describe('clear refusals', () => {
  test('a data directory that is a file', async () => {
    const file = join(await resources.directory(), 'file');
    await writeFile(file, '');
    await expect(resources.start({ dataDir: file })).rejects.toThrow(
      `the data directory ${file} cannot be used`,
    );
  });

  test('a shared directory stays as it is', async () => {
    const shared = await resources.directory(0o1777);
    await writeFile(join(shared, 'of somebody else'), '');
    await expect(resources.start({ dataDir: shared })).rejects.toThrow(`${shared} is a shared directory`);
    expect(mode(shared)).toBe('1777');
  });

  test('a lost password', async () => {
    const dataDir = await resources.directory();
    const first = await resources.start({ dataDir, durable: false });
    await first.stop();
    const file = join(dataDir, 'postgres-password');
    await rm(file);
    await expect(resources.start({ dataDir })).rejects.toThrow(`${file} is missing`);
  });
});
