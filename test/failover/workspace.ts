import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, mkdtemp, open, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** PostgreSQL refuses to run as root. */
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;
const KEEPER = fileURLToPath(new URL('./fixtures/keeper.ts', import.meta.url));

/** A temporary directory with programs that work in it; nothing of either outlives the test, however that ends. */
export class Workspace {
  readonly path: string;
  readonly #keeper: ChildProcess;

  private constructor(path: string, keeper: ChildProcess) {
    this.path = path;
    this.#keeper = keeper;
  }

  static async create(): Promise<Workspace> {
    const path = await mkdtemp(join(tmpdir(), 'grantex-failover-'));
    if (isRoot) await chown(path, NOBODY, NOBODY);
    // In a session of its own, so that what ends the tests from a keyboard does not end it too.
    const keeper = spawn(process.execPath, [KEEPER, path], {
      stdio: ['pipe', 'ignore', 'inherit'],
      detached: true,
    });
    await once(keeper, 'spawn');
    return new Workspace(path, keeper);
  }

  /** A directory of one program in here. */
  async directory(name: string): Promise<string> {
    const path = join(this.path, name);
    await mkdir(path, { mode: 0o700, recursive: true });
    if (isRoot) await chown(path, NOBODY, NOBODY);
    return path;
  }

  async write(directory: string, name: string, content: string): Promise<string> {
    const path = join(directory, name);
    await writeFile(path, content, { mode: 0o600 });
    if (isRoot) await chown(path, NOBODY, NOBODY);
    return path;
  }

  /** Starts a program in `directory`, as a user without rights; what it says goes to a file there. */
  async spawn(directory: string, program: string, args: readonly string[]): Promise<void> {
    const log = await open(join(directory, LOG), 'a', 0o644);
    const child = spawn(program, args, {
      cwd: directory,
      env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C.UTF-8' },
      stdio: ['ignore', log.fd, log.fd],
      ...(isRoot && { uid: NOBODY, gid: NOBODY }),
    });
    // Rejects when there is no such program.
    await once(child, 'spawn').finally(() => log.close());
  }

  /** The last lines that each of these programs wrote. */
  async logs(directories: readonly string[]): Promise<string> {
    const tails = directories.map(async (directory) => {
      const lines = (await readFile(join(directory, LOG), 'utf8').catch(() => '')).trimEnd().split('\n');
      return [`${directory}:`, ...lines.slice(-LOG_LINES)].join('\n');
    });
    return (await Promise.all(tails)).join('\n\n');
  }

  /** Resolves when nothing is left. */
  async end(): Promise<void> {
    const exited = once(this.#keeper, 'exit');
    this.#keeper.stdin?.end();
    const [code] = await exited;
    if (code !== 0) throw new Error(`something is left of ${this.path}`);
  }
}

const LOG = 'log';
const LOG_LINES = 20;
