import { defineProgram, PROGRAMS, type ProgramName, type StackSettings } from './definitions.ts';
import { type Definition, Program } from './program.ts';

/** The programs of the pipeline as local processes. Each can be ended and started again separately. */
export class Stack {
  readonly #settings: StackSettings;
  readonly #programs = new Map<ProgramName, Program>();
  #stopped: Promise<void> | undefined;
  #reportExit: (name: ProgramName, how: string) => void = () => undefined;

  constructor(settings: StackSettings) {
    this.#settings = settings;
  }

  /**
   * Starts the programs and waits until each is ready. It builds missing binaries first.
   * @throws {Error} when one of them does not start, or `stop` was called meanwhile; it ends all programs first
   */
  async start(...names: readonly ProgramName[]): Promise<void> {
    // One after another: two concurrent builds would only compete for the processor.
    const definitions = [];
    for (const name of names) definitions.push(await defineProgram(name, this.#settings));
    let failure: unknown;
    await Promise.all(
      definitions.map(async (definition, index) => {
        try {
          await this.#startOne(names[index] as ProgramName, definition);
        } catch (error) {
          // Only the first failure counts. The later ones follow from the stop.
          failure ??= error;
          await this.stop();
        }
      }),
    );
    if (failure !== undefined) throw failure;
  }

  async #startOne(name: ProgramName, definition: Definition): Promise<void> {
    const program = await Program.spawn(definition);
    this.#programs.set(name, program);
    // From now on `stop` ends this program. If `stop` was called before, this line must end it.
    if (this.#stopped) void program.stop();
    await program.ready();
    // Before that, `ready` itself reports the end.
    void program.exited.then((how) => {
      if (!program.stopping) this.#reportExit(name, how);
    });
  }

  /** Calls the listener whenever a program that was ready ends by itself. Before, such ends are not reported. */
  onUnexpectedExit(listener: (name: ProgramName, how: string) => void): void {
    this.#reportExit = listener;
  }

  /**
   * Starts a program again that has ended, and waits until it is ready. Does nothing once `stop` was called.
   * @throws {Error} when it does not become ready; it is ended then
   */
  async startAgain(name: ProgramName): Promise<void> {
    const definition = await defineProgram(name, this.#settings);
    if (this.#stopped) return;
    try {
      await this.#startOne(name, definition);
    } catch (error) {
      await this.#programs.get(name)?.stop();
      throw error;
    }
  }

  get stopping(): boolean {
    return this.#stopped !== undefined;
  }

  program(name: ProgramName): Program {
    const program = this.#programs.get(name);
    if (program === undefined) throw new Error(`${name} has not been started`);
    return program;
  }

  /** Ends every program in order: senders before receivers. */
  stop(): Promise<void> {
    this.#stopped ??= (async () => {
      for (const name of PROGRAMS) await this.#programs.get(name)?.stop();
    })();
    return this.#stopped;
  }

  /** Kills every program without waiting, when this process exits. */
  killAll(): void {
    for (const program of this.#programs.values()) program.kill();
  }
}
