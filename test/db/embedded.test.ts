import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { chmod, cp, lstat, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { bundledPackage, usableBinaries } from '../../src/db/embedded-binaries.ts';
import { addRow, processesOn, query, Workshop } from '../support/embedded.ts';

const workshop = new Workshop();
afterEach(() => workshop.cleanUp());

const SECOND = 1_000;
const STAYS = 'setInterval(() => undefined, 1_000);';
const isRoot = process.getuid?.() === 0;
const mode = (path: string) => (statSync(path).mode & 0o7777).toString(8);
const postmaster = async (dataDir: string) =>
  Number((await readFile(join(dataDir, 'postgres/postmaster.pid'), 'utf8')).split('\n')[0]);
const nothingRunsOn = (dataDir: string) =>
  expect.poll(() => processesOn(dataDir), { timeout: 8 * SECOND, interval: 20 }).toEqual([]);

describe('a first start', () => {
  test('makes a durable database that only its owner can read, and a restart keeps its rows', async () => {
    const dataDir = join(await workshop.directory(), 'data');
    const first = await workshop.start({ dataDir });
    expect(await addRow(first.url)).toBe(1);
    expect([
      mode(dataDir),
      mode(join(dataDir, 'postgres')),
      mode(join(dataDir, 'postgres-password')),
    ]).toEqual(['700', '700', '600']);
    await first.stop();
    expect(await first.exited).toEqual({ code: 0, signal: null });
    expect(processesOn(dataDir)).toEqual([]);

    const second = await workshop.start({ dataDir });
    expect(new URL(second.url).password).toBe(new URL(first.url).password);
    expect(await addRow(second.url)).toBe(2);
  });

  test('sets what one machine needs: fsync, loopback only, UTC, checksums', async () => {
    const { url } = await workshop.start({ dataDir: await workshop.directory() });
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
    const dataDir = await workshop.directory(0o755);
    await workshop.start({ dataDir, durable: false });
    expect(mode(dataDir)).toBe('700');
  });

  test('throws away what a first start that crashed left half made', async () => {
    const dataDir = await workshop.directory();
    await mkdir(join(dataDir, 'postgres.partial/data/base'), { recursive: true });
    await writeFile(join(dataDir, 'postgres.partial/data/PG_VERSION'), '18\n');
    const { url } = await workshop.start({ dataDir, durable: false });
    expect(await addRow(url)).toBe(1);
    expect(existsSync(join(dataDir, 'postgres.partial'))).toBe(false);
  });

  test('works with a relative path, with spaces, quotes and more bytes than a socket address holds', async () => {
    const dataDir = join(await workshop.directory(), `it's a "long" $path ${'x'.repeat(120)}`);
    const { url } = await workshop.start({ dataDir: relative(process.cwd(), dataDir), durable: false });
    expect(await addRow(url)).toBe(1);
    expect(processesOn(dataDir).length).toBeGreaterThan(2);
  });
});

describe('access', () => {
  test('a wrong password is refused', async () => {
    const { url } = await workshop.start({ dataDir: await workshop.directory(), durable: false });
    const wrong = new URL(url);
    wrong.password = 'guess';
    await expect(query(wrong.href, (sql) => sql`select 1`)).rejects.toMatchObject({ code: '28P01' });
  });

  test('postgres runs unprivileged, also below a directory that only root may enter', async () => {
    const { url } = await workshop.start({
      dataDir: join(await workshop.directory(0o700), 'data'),
      durable: false,
    });
    expect(await addRow(url)).toBe(1);
  });

  test('as root every process is of another uid; otherwise of our own', async () => {
    const dataDir = await workshop.directory();
    await workshop.start({ dataDir, durable: false });
    const uids = new Set(processesOn(dataDir).map(({ uid }) => uid));
    expect([...uids]).toEqual([isRoot ? 65534 : process.getuid?.()]);
  });

  test('the log tells of a failed statement, but not the values in it', async () => {
    const lines: string[] = [];
    const { url, stop } = await workshop.start({
      dataDir: await workshop.directory(),
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
    const dataDir = await workshop.directory();
    const first = await workshop.start({ dataDir, durable: false });
    await expect(workshop.start({ dataDir })).rejects.toThrow(
      `${dataDir} is in use by another running service (pid ${process.pid})`,
    );
    expect(await addRow(first.url)).toBe(1);
    await first.stop();
    const second = await workshop.start({ dataDir, durable: false });
    expect(await addRow(second.url)).toBe(2);
  });

  test('of two starts at the same moment one wins', async () => {
    const dataDir = await workshop.directory();
    const starts = await Promise.allSettled([
      workshop.start({ dataDir, durable: false }),
      workshop.start({ dataDir, durable: false }),
    ]);
    expect(starts.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  test('a start that failed leaves the directory free', async () => {
    const dataDir = await workshop.directory();
    const first = await workshop.start({ dataDir, durable: false });
    await first.stop();
    const version = join(dataDir, 'postgres/PG_VERSION');
    await writeFile(version, '17\n');
    await expect(workshop.start({ dataDir })).rejects.toThrow(/does not start: .*incompatible/);
    await writeFile(version, '18\n');
    const second = await workshop.start({ dataDir, durable: false });
    expect(await addRow(second.url)).toBe(1);
  });
});

describe('whatever ends', () => {
  test('stop ends an open transaction, and may be called twice', async () => {
    const dataDir = await workshop.directory();
    const database = await workshop.start({ dataDir, durable: false });
    const open = query(database.url, (sql) => sql.begin(() => database.stop()));
    await expect(open).rejects.toMatchObject({ code: expect.stringMatching(/57P01|CONNECTION_/) });
    await database.stop();
    expect(await database.exited).toEqual({ code: 0, signal: null });
    expect(processesOn(dataDir)).toEqual([]);
  });

  test(
    'a postgres that hangs is ended all the same, and loses nothing',
    async () => {
      const dataDir = await workshop.directory();
      const database = await workshop.start({ dataDir });
      expect(await addRow(database.url)).toBe(1);
      process.kill(await postmaster(dataDir), 'SIGSTOP');
      await database.stop();
      expect(await database.exited).toEqual({ code: null, signal: 'SIGKILL' });
      await nothingRunsOn(dataDir);
      const next = await workshop.start({ dataDir });
      expect(await addRow(next.url)).toBe(2);
    },
    40 * SECOND,
  );

  test('the terminal cannot interrupt postgres: it has a session of its own', async () => {
    const dataDir = await workshop.directory();
    const { child } = await workshop.service(dataDir, STAYS);
    const [first, ...others] = processesOn(dataDir);
    expect(others.length).toBeGreaterThan(2);
    const ours = (await readFile(`/proc/${child.pid}/stat`, 'utf8')).split(') ')[1]?.split(' ')[3];
    expect(first?.session).toBeGreaterThan(0);
    expect(processesOn(dataDir).map(({ session }) => session)).not.toContain(Number(ours));
  });

  test('after SIGKILL of the service nothing is left, and the next start has its rows', async () => {
    const dataDir = await workshop.directory();
    const { child, url } = await workshop.service(dataDir, STAYS);
    expect(await addRow(url)).toBe(1);
    child.kill('SIGKILL');
    await nothingRunsOn(dataDir);
    const next = await workshop.start({ dataDir });
    expect(await addRow(next.url)).toBe(2);
  });

  test('a start right after SIGKILL waits for the old postgres', async () => {
    const dataDir = await workshop.directory();
    const { child, url } = await workshop.service(dataDir, STAYS);
    expect(await addRow(url)).toBe(1);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const next = await workshop.start({ dataDir });
    expect(await addRow(next.url)).toBe(2);
  });

  test('a service that just ends, without stop, leaves nothing', async () => {
    const dataDir = await workshop.directory();
    const { child } = await workshop.service(
      dataDir,
      'await new Promise((go) => process.stdin.once("data", go)); process.stdin.destroy();',
    );
    const exit = once(child, 'exit');
    child.stdin?.write('go\n');
    expect(await exit).toEqual([0, null]);
    await nothingRunsOn(dataDir);
  });

  test('an orphan whose service and supervisor were killed together is ended by the next start', async () => {
    const dataDir = await workshop.directory();
    const { child, url } = await workshop.service(dataDir, STAYS);
    expect(await addRow(url)).toBe(1);
    child.kill('SIGSTOP');
    for (const { pid } of processesOn(dataDir).filter(({ name }) => name === 'sh'))
      process.kill(pid, 'SIGKILL');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const orphans = processesOn(dataDir).map(({ pid }) => pid);
    expect(orphans.length).toBeGreaterThan(2);
    const next = await workshop.start({ dataDir });
    expect(processesOn(dataDir).filter(({ pid }) => orphans.includes(pid))).toEqual([]);
    expect(await addRow(next.url)).toBe(2);
  });

  test('when the supervisor alone is killed, postgres ends and the service is told', async () => {
    const dataDir = await workshop.directory();
    const database = await workshop.start({ dataDir, durable: false });
    const [supervisor] = processesOn(dataDir).filter(
      ({ name, pid, session }) => name === 'sh' && pid === session,
    );
    expect(supervisor).toBeDefined();
    process.kill(supervisor?.pid ?? 0, 'SIGKILL');
    expect(await database.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await nothingRunsOn(dataDir);
  });

  test('SIGKILL of postgres is told by `exited`, and the next start recovers what was committed', async () => {
    const dataDir = await workshop.directory();
    const database = await workshop.start({ dataDir });
    expect(await addRow(database.url)).toBe(1);
    process.kill(await postmaster(dataDir), 'SIGKILL');
    expect(await database.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(processesOn(dataDir)).toEqual([]);
    const next = await workshop.start({ dataDir });
    expect(await addRow(next.url)).toBe(2);
  });

  test('a stale pid file that names a living process of somebody else does not matter', async () => {
    const dataDir = await workshop.directory();
    const first = await workshop.start({ dataDir, durable: false });
    await first.stop();
    await writeFile(join(dataDir, 'postgres/postmaster.pid'), `${process.pid}\n/proc/self/cwd\n`);
    const next = await workshop.start({ dataDir, durable: false });
    expect(await addRow(next.url)).toBe(1);
  });
});

describe('clear refusals', () => {
  test('a platform without binaries', () => {
    expect(() => bundledPackage('darwin-arm64')).toThrow(
      /no bundled PostgreSQL for darwin-arm64: set DATABASE_URL/,
    );
  });

  test('a data directory that is a file', async () => {
    const file = join(await workshop.directory(), 'file');
    await writeFile(file, '');
    await expect(workshop.start({ dataDir: file })).rejects.toThrow(
      `the data directory ${file} cannot be used`,
    );
  });

  test('a shared directory stays as it is', async () => {
    const shared = await workshop.directory(0o1777);
    await writeFile(join(shared, 'of somebody else'), '');
    await expect(workshop.start({ dataDir: shared })).rejects.toThrow(`${shared} is a shared directory`);
    expect(mode(shared)).toBe('1777');
  });

  test('a lost password', async () => {
    const dataDir = await workshop.directory();
    const first = await workshop.start({ dataDir, durable: false });
    await first.stop();
    const file = join(dataDir, 'postgres-password');
    await rm(file);
    await expect(workshop.start({ dataDir })).rejects.toThrow(`${file} is missing`);
  });
});

describe('binaries', () => {
  const links = ['lib/libicuuc.so.60', 'lib/libicui18n.so.60'];

  /** As npm installs it under --ignore-scripts: packages cannot hold links. */
  async function packageWithoutLinks(parent: string): Promise<string> {
    const copy = join(parent, 'package');
    await cp(bundledPackage(), copy, {
      recursive: true,
      filter: async (path) => !path.endsWith('.a') && !(await lstat(path)).isSymbolicLink(),
    });
    return copy;
  }

  test('links that npm did not make are made', async () => {
    const packageDir = await packageWithoutLinks(await workshop.directory(0o755));
    expect(existsSync(join(packageDir, 'native', 'lib/libicuuc.so.60'))).toBe(false);
    const { url } = await workshop.start({ dataDir: await workshop.directory(), packageDir, durable: false });
    expect(await addRow(url)).toBe(1);
    for (const link of links)
      expect((await lstat(join(packageDir, 'native', link))).isSymbolicLink()).toBe(true);
  });

  test('an unusable package is copied once, to a directory that only we can write', async () => {
    const parent = await workshop.directory(isRoot ? 0o700 : 0o755);
    const packageDir = await packageWithoutLinks(parent);
    // Root is kept out by the parent above; anybody else by not being able to add the links.
    if (!isRoot) await chmod(join(packageDir, 'native/lib'), 0o555);
    const uid = isRoot ? 65534 : (process.getuid?.() ?? 0);
    const cache = join(await workshop.directory(0o755), 'cache');
    const native = usableBinaries(packageDir, uid, [cache]);
    expect(native.startsWith(`${cache}/postgres-`)).toBe(true);
    const { stdout } = spawnSync(join(native, 'bin/postgres'), ['--version'], { uid, encoding: 'utf8' });
    expect(stdout).toMatch(/^postgres \(PostgreSQL\) 18\./);
    const { ino } = statSync(native);
    expect(statSync(usableBinaries(packageDir, uid, [cache])).ino).toBe(ino);

    const untrusted = await workshop.directory(0o777);
    expect(() => usableBinaries(packageDir, uid, [untrusted])).toThrow(
      `${untrusted} is not a directory that only this user may write`,
    );
    await chmod(join(packageDir, 'native/lib'), 0o755);
  });
});
