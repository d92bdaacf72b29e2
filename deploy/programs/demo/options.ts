import { readNumber, readOptions, refuse } from '../command-line.ts';
import { DRILLS } from './drills.ts';
import type { DemoOptions } from './run.ts';

export type CommandOptions = Omit<DemoOptions, 'signal' | 'onProgress' | 'onNote'> & {
  /** The file for the summary as JSON. `-`: stdout, instead of the tables; null: no JSON. */
  readonly json: string | null;
  readonly quiet: boolean;
};

const drills = Object.entries(DRILLS).map(([name, { leadsTo }]) => `    ${name.padEnd(18)}${leadsTo}\n`);

const USAGE = `usage: npm run demo -- [options]

Sends realistic traffic to a running service, through its public HTTP API alone, and prints what it did.

  --url <url>            of the service (http://localhost:3001)
  --seconds <n>          how long (60); up to half a minute more goes into looking at what became of it
  --rate <n>             agent flows per second on average; a flow is about ten requests (3)
  --day <n>              seconds of the day whose load curve the traffic follows (the length of the demo, at least 20)
  --faults               runs all drills during the whole demo
  --drills <names>       runs these drills, comma separated:
${drills.join('')}  --keys <keys>          API keys of developers to use, comma separated, instead of signing up four
  --receiver-host <name> how the service reaches the demo's receivers of webhooks (127.0.0.1); the service needs
                         ALLOW_PRIVATE_WEBHOOK_HOSTS=true
  --json <file>          writes what it did as JSON; - writes it to stdout instead of the tables
  --quiet                no progress line
  --help

Ctrl-C ends the traffic early, with the tables; a second one ends at once.
`;

/** Reads the command line. Ends the process for `--help` and for options that it cannot use. */
export function readDemoOptions(args?: readonly string[]): CommandOptions {
  const options = {
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
  } as const;
  const values = readOptions(USAGE, options, args);
  const seconds = readNumber('--seconds', values.seconds, 1, 86_400);
  const asked = list(values.drills);
  const unknown = asked.filter((name) => !(name in DRILLS));
  if (unknown.length > 0) refuse(`--drills: there is no ${unknown.join(', ')}`);
  if (!URL.canParse(values.url) || !/^https?:$/.test(new URL(values.url).protocol))
    refuse('--url must be an http or https URL');
  return {
    url: values.url,
    seconds,
    rate: readNumber('--rate', values.rate, 0.1, 200),
    daySeconds: values.day === undefined ? Math.max(20, seconds) : readNumber('--day', values.day, 1, 86_400),
    drills: values.faults ? Object.keys(DRILLS) : asked,
    keys: list(values.keys),
    receiverHost: values['receiver-host'],
    json: values.json ?? null,
    quiet: values.quiet,
  };
}

const list = (text = ''): string[] =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter(Boolean);
