import { parseArgs } from 'node:util';
import { DRILLS } from './drills.ts';
import type { DemoOptions } from './run.ts';

export type CommandOptions = Omit<DemoOptions, 'signal' | 'onProgress' | 'onNote'> & {
  /** Where the summary goes as JSON: a file, `-` for stdout instead of the table; null: nowhere. */
  readonly json: string | null;
  readonly quiet: boolean;
};

const drills = Object.entries(DRILLS).map(([name, { leadsTo }]) => `    ${name.padEnd(18)}${leadsTo}\n`);

export const HELP = `usage: npm run demo -- [options]

Sends living traffic to a running service, through its public HTTP API alone, and prints what it did.

  --url <url>            of the service (http://localhost:3001)
  --seconds <n>          how long (60); up to half a minute more goes into looking at what became of it
  --rate <n>             walks per second in the mean; a walk is about ten requests (3)
  --day <n>              seconds of the day whose wave the traffic follows (the length of the demo, at least 20)
  --faults               plays all drills, all the while
  --drills <names>       plays these, comma separated:
${drills.join('')}  --keys <keys>          API keys of developers to use, comma separated, instead of signing up four
  --receiver-host <name> how the service reaches the demo's receivers of webhooks (127.0.0.1); the service needs
                         ALLOW_PRIVATE_WEBHOOK_HOSTS=true
  --json <file>          writes what it did as JSON; - writes it to stdout instead of the tables
  --quiet                no progress line
  --help

Ctrl-C ends the traffic early, with the tables; a second one ends at once.
`;

/** A command line that cannot be used. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** @returns null when help is asked for. @throws {UsageError} */
export function readOptions(args: readonly string[]): CommandOptions | null {
  const values = parse(args);
  if (values.help) return null;
  const seconds = number('--seconds', values.seconds, 1, 86_400);
  const asked = list(values.drills);
  const unknown = asked.filter((name) => !(name in DRILLS));
  if (unknown.length > 0) throw new UsageError(`--drills: there is no ${unknown.join(', ')}`);
  if (!URL.canParse(values.url) || !/^https?:$/.test(new URL(values.url).protocol))
    throw new UsageError('--url must be an http or https URL');
  return {
    url: values.url,
    seconds,
    rate: number('--rate', values.rate, 0.1, 200),
    daySeconds: values.day === undefined ? Math.max(20, seconds) : number('--day', values.day, 1, 86_400),
    drills: values.faults ? Object.keys(DRILLS) : asked,
    keys: list(values.keys),
    receiverHost: values['receiver-host'],
    json: values.json ?? null,
    quiet: values.quiet,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        url: { type: 'string', default: 'http://localhost:3001' },
        seconds: { type: 'string', default: '60' },
        rate: { type: 'string', default: '3' },
        day: { type: 'string' },
        faults: { type: 'boolean', default: false },
        drills: { type: 'string' },
        keys: { type: 'string' },
        'receiver-host': { type: 'string', default: '127.0.0.1' },
        json: { type: 'string' },
        quiet: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

const list = (text = ''): string[] =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter(Boolean);

function number(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= least && value <= most))
    throw new UsageError(`${name} must be a number from ${least} to ${most}`);
  return value;
}
