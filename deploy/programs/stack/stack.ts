import { define, PROGRAMS, type ProgramName, type StackSettings } from './definitions.ts';
import { type Definition, Program } from './program.ts';

/** The programs of the pipeline as local processes. Each can be ended and started again alone. */
export class Stack {
  readonly #settings: StackSettings;
  readonly #programs = new Map<ProgramName, Program>();
  #stopped: Promise<void> | undefined;
  #tellBroken: (sentence: string) => void = () => undefined;
  /** Resolves when a program has ended that this stack did not end, with a sentence that says so. */
  readonly broken = new Promise<string>((resolve) => {
    this.#tellBroken = resolve;
  });

  constructor(settings: StackSettings) {
    this.#settings = settings;
  }

  /**
   * Starts the programs and waits until each is ready. Binaries that are missing are built first.
   * @throws {Error} when one of them does not start, or `stop` came before; none of this stack runs any more then
   */
  async start(...names: readonly ProgramName[]): Promise<void> {
    // One after another: two builds at once only share the processor.
    const definitions = [];
    for (const name of names) definitions.push(await define(name, this.#settings));
    let failure: unknown;
    await Promise.all(
      definitions.map(async (definition, index) => {
        try {
          await this.#startOne(names[index] as ProgramName, definition);
        } catch (error) {
          // The first one: those that fail after it were ended because of it.
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
    void program.exited.then((how) => this.#tellBroken(`${name} ended with ${how}`));
    // `stop` knows it from now on; if it has come already, nobody else would end it.
    if (this.#stopped) void program.stop();
    await program.ready();
  }

  program(name: ProgramName): Program {
    const program = this.#programs.get(name);
    if (program === undefined) throw new Error(`${name} has not been started`);
    return program;
  }

  /** Ends every program in order, those that send before those that receive. */
  stop(): Promise<void> {
    this.#stopped ??= (async () => {
      for (const name of PROGRAMS) await this.#programs.get(name)?.stop();
    })();
    return this.#stopped;
  }

  /** Ends every program at once, without waiting: for the last moment of a process. */
  killAll(): void {
    for (const program of this.#programs.values()) program.kill();
  }
}
