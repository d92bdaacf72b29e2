import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import postgres from 'postgres';
import { migrate } from '../../src/db/migrate.ts';
import { type EmbeddedDatabase, startEmbeddedDatabase } from '../../src/embedded-postgres/start.ts';
import { TEMPLATE, withDatabaseName } from './database-url.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** The sources of the data. A change in one of their files makes new data. */
const MADE_OF = ['src/db', 'src/db/migrations', 'src/embedded-postgres'];

/** The number of cached copies. It leaves room for those of other branches. */
const KEPT = 4;

type TestServer = Pick<EmbeddedDatabase, 'url' | 'stop'>;

/**
 * Starts a PostgreSQL with the migrated template. It takes seconds to make the data, so the first run keeps a copy
 * under `node_modules/.cache`, and later runs start from it. Each run has its own directory, so concurrent runs are
 * independent.
 */
export async function startTestServer(kept = keptData()): Promise<TestServer> {
  if (existsSync(kept)) {
    const dataDir = await newDirectory();
    try {
      await copy(kept, dataDir);
      return await startOn(dataDir);
    } catch {
      // A crash of the machine may have left an incomplete copy. Any other fault occurs again below and is reported
      // there.
      await remove(dataDir);
      await remove(kept);
    }
  }
  const dataDir = await newDirectory();
  const maker = await startOn(dataDir, { keepData: true });
  try {
    await makeTemplate(maker.url);
  } catch (error) {
    await maker.stop();
    await remove(dataDir);
    throw error;
  }
  await maker.stop();
  await keep(dataDir, kept);
  return startOn(dataDir);
}

async function startOn(dataDir: string, { keepData = false } = {}): Promise<TestServer> {
  const lines: string[] = [];
  try {
    const { url, stop } = await startEmbeddedDatabase({
      dataDir,
      durable: false,
      onLog: (line) => lines.push(line),
    });
    return {
      url,
      stop: async () => {
        await stop();
        if (!keepData) await remove(dataDir);
      },
    };
  } catch (cause) {
    throw new Error(`the PostgreSQL of the tests does not start; it said: ${lines.join('\n')}`, { cause });
  }
}

async function makeTemplate(adminUrl: string): Promise<void> {
  const admin = postgres(adminUrl, { max: 1 });
  try {
    await admin`create database ${admin(TEMPLATE)}`;
    await migrate(withDatabaseName(adminUrl, TEMPLATE));
    // A database with open connections cannot be cloned, so the template allows no connections.
    await admin`alter database ${admin(TEMPLATE)} with is_template true allow_connections false`;
  } finally {
    await admin.end();
  }
}

/**
 * Renames the finished copy, so that the final name never has an incomplete one. When another run was faster, its copy
 * stays.
 */
async function keep(dataDir: string, kept: string): Promise<void> {
  const directory = dirname(kept);
  await mkdir(directory, { recursive: true });
  const partial = await mkdtemp(join(directory, 'partial-'));
  await copy(dataDir, partial);
  await rename(partial, kept).catch(() => remove(partial));
  const byAge = readdirSync(directory)
    .map((name) => join(directory, name))
    .map((path) => ({ path, age: -(statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) }))
    .sort((one, other) => one.age - other.age);
  for (const { path } of byAge.slice(KEPT)) await remove(path);
}

const newDirectory = () => mkdtemp(join(tmpdir(), 'grantex-test-'));
const remove = (path: string) => rm(path, { recursive: true, force: true });
/** Node's `cp` loses the owner, which is another user when tests run as root. */
const copy = (from: string, to: string) => promisify(execFile)('cp', ['-a', `${from}/.`, to]);

/** The path of the cached data for this code and this user. Other users may not read them. */
function keptData(): string {
  const hash = createHash('sha256').update(readFileSync(join(ROOT, 'package-lock.json')));
  for (const directory of MADE_OF)
    for (const entry of readdirSync(join(ROOT, directory), { withFileTypes: true }))
      if (entry.isFile()) hash.update(entry.name).update(readFileSync(join(ROOT, directory, entry.name)));
  const name = `${process.getuid?.() ?? 0}-${hash.digest('hex').slice(0, 16)}`;
  return join(ROOT, 'node_modules/.cache/grantex-test', name);
}
