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
  /** Where its output goes. */
  readonly logFile: string;
}

const READY_TIMEOUT_MS = 60_000;
/** Longer than the service's own limit. */
const STOP_TIMEOUT_MS = 15_000;
const WORDS_OF_A_FAILURE = 15;
/** By which the kernel ends a program when we have ended, be it by SIGKILL. Only Linux with util-linux has it. */
const BOUND_TO_US = ['setpriv', '--pdeathsig', 'TERM'];
const bound = spawnSync('setpriv', [...BOUND_TO_US.slice(1), 'true']).status === 0 ? BOUND_TO_US : [];

/** A program that runs. It is in a session of its own: Ctrl-C in the terminal reaches us, and we end it in our order. */
export class Program {
  readonly #child: ChildProcess;
  readonly #definition: Definition;
  /** Resolves when it has ended, asked or not, with the code or signal. */
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

  /** Starts it. That it cannot be started at all is told by `ready` and `exited`. */
  static async spawn(definition: Definition): Promise<Program> {
    const [program = '', ...args] = [...bound, ...definition.command];
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

  get logFile(): string {
    return this.#definition.logFile;
  }

  /** SIGTERM, then SIGKILL when it does not end in time; resolves when it has ended. */
  stop(): Promise<void> {
    // Once: a second signal would tell the service to drop everything.
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
   * Resolves when it can be used.
   * @throws {Error} with its last words, when it ends before or takes longer than a minute
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
      // A program of somebody else may have answered on the port that ours did not get.
      if (status === 200 && this.#running) return;
      if (performance.now() > deadline) throw new Error(`${name} is not ready: ${await lastWords(logFile)}`);
      await delay(50);
    }
    throw new Error(`${name} ended with ${await this.exited}: ${await lastWords(logFile)}`);
  }

  #end(how: string): string {
    this.#running = false;
    return how;
  }
}

const lastWords = async (file: string): Promise<string> =>
  `\n${(await readFile(file, 'utf8')).trimEnd().split('\n').slice(-WORDS_OF_A_FAILURE).join('\n')}`;
