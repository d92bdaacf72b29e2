import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** How to start one program of the stack. */
export interface Definition {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Answers 200 once the program is ready. */
  readonly readyUrl: string;
  /** The file for its output. */
  readonly logFile: string;
}

const READY_TIMEOUT_MS = 60_000;
/** Longer than the service's own limit for its shutdown. */
const STOP_TIMEOUT_MS = 15_000;
const LOG_LINES_IN_ERROR = 15;
/** Makes the kernel end a program when this process ends, even by SIGKILL. Only Linux with util-linux has it. */
const END_WITH_PARENT = ['setpriv', '--pdeathsig', 'TERM'];
const prefix =
  spawnSync('setpriv', [...END_WITH_PARENT.slice(1), 'true']).status === 0 ? END_WITH_PARENT : [];

/**
 * A running program. It has a separate session, so Ctrl-C in the terminal reaches only this process, which then ends
 * the programs in order.
 */
export class Program {
  readonly #child: ChildProcess;
  readonly #definition: Definition;
  /** Resolves with the exit code or signal when the program has ended, for whatever reason. */
  readonly exited: Promise<string>;
  #running = true;
  #stopped: Promise<void> | undefined;

  private constructor(child: ChildProcess, definition: Definition) {
    this.#child = child;
    this.#definition = definition;
    this.exited = once(child, 'exit').then(
      ([code, signal]) => this.#end(`code ${code ?? signal}`),
      (error: Error) => this.#end(error.message),
    );
  }

  /** Starts the program. `ready` and `exited` report it when the start is impossible. */
  static async spawn(definition: Definition): Promise<Program> {
    const [program = '', ...args] = [...prefix, ...definition.command];
    await mkdir(dirname(definition.logFile), { recursive: true });
    const log = await open(definition.logFile, 'a');
    const child = spawn(program, args, {
      cwd: definition.cwd,
      env: definition.env as NodeJS.ProcessEnv,
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    });
    const spawned = new Program(child, definition);
    await log.close();
    return spawned;
  }

  /** Whether `stop` was called. */
  get stopping(): boolean {
    return this.#stopped !== undefined;
  }

  get logFile(): string {
    return this.#definition.logFile;
  }

  /** Sends SIGTERM, and SIGKILL when the program does not end in time. Resolves when it has ended. */
  stop(): Promise<void> {
    // Only once: a second signal would make the service drop its work.
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const timer = setTimeout(() => this.kill(), STOP_TIMEOUT_MS);
    this.#child.kill('SIGTERM');
    await this.exited;
    clearTimeout(timer);
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.#child.kill(signal);
  }

  /**
   * Resolves when the program is ready.
   * @throws {Error} with the end of its log when it ends before that or takes longer than a minute
   */
  async ready(): Promise<void> {
    const deadline = performance.now() + READY_TIMEOUT_MS;
    const { name, readyUrl, logFile } = this.#definition;
    while (this.#running) {
      const status = await fetch(readyUrl, { signal: AbortSignal.timeout(1000) }).then(
        async (response) => {
          await response.body?.cancel();
          return response.status;
        },
        () => 0,
      );
      // When our program did not get its port, a foreign program may have answered there.
      if (status === 200 && this.#running) return;
      if (performance.now() > deadline) throw new Error(`${name} is not ready: ${await endOfLog(logFile)}`);
      await delay(50);
    }
    throw new Error(`${name} ended with ${await this.exited}: ${await endOfLog(logFile)}`);
  }

  #end(how: string): string {
    this.#running = false;
    return how;
  }
}

const endOfLog = async (file: string): Promise<string> =>
  `\n${(await readFile(file, 'utf8')).trimEnd().split('\n').slice(-LOG_LINES_IN_ERROR).join('\n')}`;
