/**
 * Commands: `npm run admin`, `audit`, `keys`, `migrate` and `reconcile`. Each reads its words, opens the database and calls use
 * cases of rooms. Exit codes: 2 for a command line that is wrong, 78 for a configuration that cannot be used, 1 for anything else.
 */
import { USAGE_ERROR, usageMessage } from '../command-line-error.ts';
import { BAD_CONFIGURATION, ConfigError } from '../config.ts';

/** A fault that sets the exit code of the command. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: number;
  constructor(message: string, exitCode: number, cause?: unknown) {
    super(message, { cause });
    this.exitCode = exitCode;
  }
}

export const usageError = (fault: string) => new CommandError(usageMessage(fault), USAGE_ERROR);

/**
 * Runs one command-line command: its output on stdout, a fault on stderr.
 * Exit codes as for the service: 0 done, 78 bad configuration, 1 anything else but a `CommandError`.
 */
export async function runCommand(command: (print: (line: string) => void) => Promise<void>): Promise<void> {
  try {
    await command((line) => process.stdout.write(`${line}\n`));
  } catch (error) {
    const lines =
      error instanceof ConfigError ? error.faults : [error instanceof Error ? error.message : error];
    process.stderr.write(lines.map((line) => `${line}\n`).join(''));
    process.exitCode =
      error instanceof ConfigError ? BAD_CONFIGURATION : error instanceof CommandError ? error.exitCode : 1;
  }
}
