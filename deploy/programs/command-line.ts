import { type ParseArgsConfig, parseArgs } from 'node:util';
import { parseFault, USAGE_ERROR, usageMessage } from '../../src/command-line-error.ts';

type Options = NonNullable<ParseArgsConfig['options']>;

/**
 * Reads the options of the command line. For `--help` it prints `usage` and ends the process with exit code 0. For an
 * unknown option it calls `refuse`.
 */
export function readOptions<const T extends Options>(
  usage: string,
  options: T,
  args: readonly string[] = process.argv.slice(2),
) {
  try {
    const all = { ...options, help: { type: 'boolean', default: false } } as const;
    const { values } = parseArgs({ args: [...args], options: all as T & typeof all });
    if (!(values as { readonly help?: boolean }).help) return values;
  } catch (error) {
    return refuse(parseFault(error));
  }
  process.stdout.write(usage);
  process.exit(0);
}

/** Ends the process with one line of text and exit code 2. */
export function refuse(fault: string): never {
  process.stderr.write(`${usageMessage(fault)}\n`);
  process.exit(USAGE_ERROR);
}

/** The value of an option as a number. Refuses text that is no number, and numbers out of bounds. */
export function readNumber(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= least && value <= most))
    refuse(`${option} must be a number from ${least} to ${most}`);
  return value;
}
