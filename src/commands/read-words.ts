import { parseArgs } from 'node:util';
import { BAD_USAGE, CommandError } from './run-command.ts';

/** A fault of the command line, told in one line. */
export const badUsage = (sentence: string) =>
  new CommandError(`${sentence}; --help says what there is`, BAD_USAGE);

/**
 * The words on the command line of a command that has no option but `--help`.
 * @returns null when help is asked for
 * @throws {CommandError} for any other option
 */
export function readWords(args: readonly string[]): readonly string[] | null {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { help: { type: 'boolean', default: false } },
      allowPositionals: true,
    });
    return values.help ? null : positionals;
  } catch (error) {
    // Node goes on with hints to what nobody meant.
    throw badUsage((error as Error).message.split(/\.? *\n|\. /)[0] ?? '');
  }
}
