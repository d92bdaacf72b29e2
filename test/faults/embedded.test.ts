import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { printTable } from '../load/table.ts';
import { createTestDatabase } from '../support/database.ts';
import { processesOn, query } from '../support/embedded.ts';
import { newParty } from '../support/flow.ts';
import { temporaryDirectory, waitFor } from '../support/service.ts';
import { expectPairsWork, killUnderLoad, printKill } from './kill.ts';
import { expectProperAnswers } from './ledger.ts';
import { startOwnService } from './own-service.ts';
import { isGood, startTraffic } from './traffic.ts';

const SECOND = 1_000;
const MEBIBYTE = 1 << 20;
const ENV = { DATABASE_URL: '', SECRET_KEY: '', JWT_ISSUER: 'https://auth.example.com' };

test('SIGKILL of a service with its embedded database: it ends too, and starts again with everything', async () => {
  const { path, remove } = await temporaryDirectory();
  const env = { ...ENV, DATA_DIR: path };
  const unused = await createTestDatabase();
  const first = await startOwnService({ env, database: unused });
  const party = await newParty(first, 'sandbox');
  const shots = await killUnderLoad(first, party, 1500);

  const begun = performance.now();
  const second = await startOwnService({ env, database: unused });
  const startMs = performance.now() - begun;
  const pairs = await expectPairsWork(second, party, shots);
  printKill('SIGKILL of the service with its embedded database', shots, pairs, startMs);
  expect(pairs).toBeGreaterThan(100);

  second.process.kill('SIGKILL');
  await waitFor(() => processesOn(path).length === 0 || undefined, 15 * SECOND);
  await unused.drop();
  await remove();
});

/** Mounts a separate file system that can be filled; undefined where this machine does not allow it. */
async function smallDisk(
  megabytes: number,
): Promise<{ path: string; remove: () => Promise<void> } | undefined> {
  const path = await mkdtemp(join(tmpdir(), 'grantex-small-'));
  const options = `size=${megabytes}m,mode=0711`;
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path], { stdio: 'ignore' });
  if (status !== 0) {
    await rm(path, { recursive: true, force: true });
    return undefined;
  }
  return {
    path,
    remove: async () => {
      spawnSync('umount', ['--lazy', path]);
      await rm(path, { recursive: true, force: true });
    },
  };
}

/** Fills the file system almost completely. */
function fill(path: string): string {
  const filler = join(path, 'filler');
  const { bavail, bsize } = statfsSync(path);
  writeFileSync(filler, Buffer.alloc(bavail * bsize - MEBIBYTE / 4));
  return filler;
}

/** Makes the next write need a new file of the write-ahead log. */
async function switchLog(dataDir: string): Promise<void> {
  const port = readFileSync(join(dataDir, 'postgres/postmaster.pid'), 'utf8').split('\n')[3];
  const password = readFileSync(join(dataDir, 'postgres-password'), 'utf8').trim();
  await query(
    `postgres://grantex:${password}@127.0.0.1:${port}/postgres`,
    (sql) => sql`select pg_switch_wal()`,
  );
}

const disk = await smallDisk(256);
afterAll(() => disk?.remove());
if (disk)
  test('the disk of the embedded database fills up under load: what was answered is kept, and space is all it needs', async () => {
    const unused = await createTestDatabase();
    const dataDir = join(disk.path, 'data');
    const env = { ...ENV, DATA_DIR: dataDir };
    const first = await startOwnService({ env, database: unused });
    const party = await newParty(first, 'sandbox');
    const traffic = startTraffic({ url: first.url, ...party });
    const good = () => traffic.shots.filter(isGood).length;
    const goodOnes = async (more: number) => {
      const enough = good() + more;
      await waitFor(() => good() >= enough || undefined, 20 * SECOND);
    };
    await goodOnes(300);

    const tables = fill(disk.path);
    const refused = () => traffic.shots.filter((shot) => !isGood(shot)).length;
    await waitFor(() => refused() >= 20 || undefined, 40 * SECOND);
    await rm(tables);
    const freed = performance.now();
    await goodOnes(100);
    const late = traffic.shots.filter((shot) => !isGood(shot)).map(({ reply }) => reply.ended - freed);
    const full = [...traffic.shots];
    expectProperAnswers(full);
    // No 500: PostgreSQL reports that it stored nothing.
    expect(new Set(full.map(({ reply }) => reply.status))).toEqual(new Set([200, 201, 204, 503]));

    const log = fill(disk.path);
    const exited = once(first.process, 'exit');
    await switchLog(dataDir).catch(() => undefined);
    const [code] = await exited;
    await traffic.stop();
    await rm(log);
    const begun = performance.now();
    const second = await startOwnService({ env, database: unused });
    const startMs = performance.now() - begun;
    const pairs = await expectPairsWork(second, party, traffic.shots);
    printTable('disk full', [
      {
        'refused while the tables cannot grow': full.length - full.filter(isGood).length,
        'recovered after ms': Math.max(0, Math.round(Math.max(...late))),
        'exit code when the log cannot': code,
        'next start ms': Math.round(startMs),
        'pairs tried again': pairs,
      },
    ]);
    expect(code).toBe(1);
    expect(first.logs.filter(({ level }) => level === 'fatal').map(({ msg }) => msg)).toEqual([
      'database.ended',
    ]);
    expect(pairs).toBeGreaterThan(100);
    expect(await second.stop()).toBe(0);
    await unused.drop();
  });
