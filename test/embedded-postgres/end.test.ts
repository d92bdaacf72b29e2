import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { addRow, EmbeddedResources, processesOn, query } from '../support/embedded.ts';

const resources = new EmbeddedResources();
afterEach(() => resources.cleanUp());

const SECOND = 1_000;
const STAYS = 'setInterval(() => undefined, 1_000);';
const postmaster = async (dataDir: string) =>
  Number((await readFile(join(dataDir, 'postgres/postmaster.pid'), 'utf8')).split('\n')[0]);
const nothingRunsOn = (dataDir: string) =>
  expect.poll(() => processesOn(dataDir), { timeout: 8 * SECOND, interval: 20 }).toEqual([]);

describe('whatever ends', () => {
  test('stop ends an open transaction, and may be called twice', async () => {
    const dataDir = await resources.directory();
    const database = await resources.start({ dataDir, durable: false });
    const open = query(database.url, (sql) => sql.begin(() => database.stop()));
    await expect(open).rejects.toMatchObject({ code: expect.stringMatching(/57P01|CONNECTION_/) });
    await database.stop();
    expect(await database.exited).toEqual({ code: 0, signal: null });
    expect(processesOn(dataDir)).toEqual([]);
  });

  test('a postgres that hangs is ended all the same, and loses nothing', async () => {
    const dataDir = await resources.directory();
    const database = await resources.start({ dataDir });
    expect(await addRow(database.url)).toBe(1);
    process.kill(await postmaster(dataDir), 'SIGSTOP');
    await database.stop();
    expect(await database.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await nothingRunsOn(dataDir);
    const next = await resources.start({ dataDir });
    expect(await addRow(next.url)).toBe(2);
  });

  test('the terminal cannot interrupt postgres: it has a session of its own', async () => {
    const dataDir = await resources.directory();
    const { child } = await resources.service(dataDir, STAYS);
    const [first, ...others] = processesOn(dataDir);
    expect(others.length).toBeGreaterThan(2);
    const ours = (await readFile(`/proc/${child.pid}/stat`, 'utf8')).split(') ')[1]?.split(' ')[3];
    expect(first?.session).toBeGreaterThan(0);
    expect(processesOn(dataDir).map(({ session }) => session)).not.toContain(Number(ours));
  });

  test('after SIGKILL of the service nothing is left, and the next start has its rows', async () => {
    const dataDir = await resources.directory();
    const { child, url } = await resources.service(dataDir, STAYS);
    expect(await addRow(url)).toBe(1);
    child.kill('SIGKILL');
    await nothingRunsOn(dataDir);
    const next = await resources.start({ dataDir });
    expect(await addRow(next.url)).toBe(2);
  });

  test('a start right after SIGKILL waits for the old postgres', async () => {
    const dataDir = await resources.directory();
    const { child, url } = await resources.service(dataDir, STAYS);
    expect(await addRow(url)).toBe(1);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const next = await resources.start({ dataDir });
    expect(await addRow(next.url)).toBe(2);
  });

  test('a service that just ends, without stop, leaves nothing', async () => {
    const dataDir = await resources.directory();
    const { child } = await resources.service(
      dataDir,
      'await new Promise((go) => process.stdin.once("data", go)); process.stdin.destroy();',
    );
    const exit = once(child, 'exit');
    child.stdin?.write('go\n');
    expect(await exit).toEqual([0, null]);
    await nothingRunsOn(dataDir);
  });

  test('an orphan whose service and supervisor were killed together is ended by the next start', async () => {
    const dataDir = await resources.directory();
    const { child, url } = await resources.service(dataDir, STAYS);
    expect(await addRow(url)).toBe(1);
    child.kill('SIGSTOP');
    for (const { pid } of processesOn(dataDir).filter(({ name }) => name === 'sh'))
      process.kill(pid, 'SIGKILL');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const orphans = processesOn(dataDir).map(({ pid }) => pid);
    expect(orphans.length).toBeGreaterThan(2);
    const next = await resources.start({ dataDir });
    expect(processesOn(dataDir).filter(({ pid }) => orphans.includes(pid))).toEqual([]);
    expect(await addRow(next.url)).toBe(2);
  });

  test('when the supervisor alone is killed, postgres ends and the service is told', async () => {
    const dataDir = await resources.directory();
    const database = await resources.start({ dataDir, durable: false });
    const [supervisor] = processesOn(dataDir).filter(
      ({ name, pid, session }) => name === 'sh' && pid === session,
    );
    expect(supervisor).toBeDefined();
    process.kill(supervisor?.pid ?? 0, 'SIGKILL');
    expect(await database.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await nothingRunsOn(dataDir);
  });

  test('SIGKILL of postgres is told by `exited`, and the next start recovers what was committed', async () => {
    const dataDir = await resources.directory();
    const database = await resources.start({ dataDir });
    expect(await addRow(database.url)).toBe(1);
    process.kill(await postmaster(dataDir), 'SIGKILL');
    expect(await database.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(processesOn(dataDir)).toEqual([]);
    const next = await resources.start({ dataDir });
    expect(await addRow(next.url)).toBe(2);
  });

  test('a stale pid file that names a living process of somebody else does not matter', async () => {
    const dataDir = await resources.directory();
    const first = await resources.start({ dataDir, durable: false });
    await first.stop();
    await writeFile(join(dataDir, 'postgres/postmaster.pid'), `${process.pid}\n/proc/self/cwd\n`);
    const next = await resources.start({ dataDir, durable: false });
    expect(await addRow(next.url)).toBe(1);
  });
});
