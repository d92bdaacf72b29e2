import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import postgres from 'postgres';
import { type EmbeddedDatabase, startEmbeddedDatabase } from '../../src/embedded-postgres/start.ts';

export interface RunningProcess {
  readonly pid: number;
  readonly name: string;
  readonly uid: number;
  readonly session: number;
}

/** Every running process of the database in `dataDir`: postgres, all of its children, and their supervisor. */
export function processesOn(dataDir: string): RunningProcess[] {
  const cluster = statSync(join(dataDir, 'postgres'), { throwIfNoEntry: false });
  const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
  return pids.flatMap((pid) => {
    try {
      const cwd = statSync(`/proc/${pid}/cwd`);
      if (cwd.ino !== cluster?.ino || cwd.dev !== cluster.dev) return [];
      const [, name = '', rest = ''] = /\((.*)\) (.*)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
      const session = Number(rest.split(' ')[3]);
      return [{ pid: Number(pid), name, uid: statSync(`/proc/${pid}`).uid, session }];
    } catch {
      return [];
    }
  });
}

/**
 * Makes directories, databases and services for one test. `cleanUp` ends and removes all of them, even after a failure.
 */
export class EmbeddedResources {
  readonly #directories: string[] = [];
  readonly #databases: EmbeddedDatabase[] = [];
  readonly #services: ChildProcess[] = [];

  async directory(mode = 0o700): Promise<string> {
    const path = await mkdtemp(join(tmpdir(), 'grantex-embedded-'));
    this.#directories.push(path);
    await chmod(path, mode);
    return path;
  }

  async start(options: Parameters<typeof startEmbeddedDatabase>[0]): Promise<EmbeddedDatabase> {
    const database = await startEmbeddedDatabase(options);
    this.#databases.push(database);
    return database;
  }

  /**
   * Starts a separate process that opens the database in `dataDir` and then runs the code `afterwards` with `database`.
   */
  async service(dataDir: string, afterwards: string): Promise<{ child: ChildProcess; url: string }> {
    const launcher = new URL('../../src/embedded-postgres/start.ts', import.meta.url).href;
    const script = `
      import { startEmbeddedDatabase } from ${JSON.stringify(launcher)};
      const database = await startEmbeddedDatabase({ dataDir: ${JSON.stringify(dataDir)} });
      process.stdout.write(database.url + '\\n');
      ${afterwards}`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#services.push(child);
    const [url] = await once(createInterface({ input: child.stdout }), 'line');
    return { child, url };
  }

  async cleanUp(): Promise<void> {
    for (const child of this.#services.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await Promise.all(this.#databases.splice(0).map((database) => database.stop()));
    // Ending processes may still write into the directories.
    for (const directory of this.#directories.splice(0))
      await rm(directory, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
  }
}

/** Runs `work` with a separate connection. */
export async function query<T>(url: string, work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    return await work(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** Commits one more row and returns how many there are. */
export const addRow = (url: string): Promise<number> =>
  query(url, async (sql) => {
    await sql`create table if not exists kept (id int generated always as identity)`;
    await sql`insert into kept default values`;
    const [row] = await sql<{ rows: number }[]>`select count(*)::int as rows from kept`;
    return row?.rows ?? 0;
  });
