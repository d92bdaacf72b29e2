import { defineProgram, PROGRAMS, type ProgramName, type StackSettings } from './definitions.ts';
import { type Definition, Program } from './program.ts';

/** The programs of the pipeline as local processes. Each can be ended and started again separately. */
export class Stack {
  readonly #settings: StackSettings;
  readonly #programs = new Map<ProgramName, Program>();
  #stopped: Promise<void> | undefined;
  #reportExit: (sentence: string) => void = () => undefined;
  /** Resolves when a program has ended by itself, with a sentence that names it. */
  readonly unexpectedExit = new Promise<string>((resolve) => {
    this.#reportExit = resolve;
  });

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
    void program.exited.then((how) => this.#reportExit(`${name} ended with ${how}`));
    // From now on `stop` ends this program. If `stop` was called before, this line must end it.
    if (this.#stopped) void program.stop();
    await program.ready();
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
