import { parseArgs } from 'node:util';
import { parseFault } from '../command-line-error.ts';
import { usageError } from './run-command.ts';

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
    throw usageError(parseFault(error));
  }
}
