import { parseArgs } from 'node:util';
import { parseFault } from '../command-line-error.ts';
import { REMEMBERED_DAYS } from '../db/removed-counts.ts';
import { usageError } from './run-command.ts';

export interface ReconcileCommand {
  /** URLs of `/metrics`; null: the one of this configuration. */
  readonly scrape: readonly string[] | null;
  /** Base URL of a Prometheus, which is then asked instead. */
  readonly prometheus: string | null;
  readonly job: string;
  readonly lookbackMs: number;
  /** Files. */
  readonly snapshot: string | null;
  readonly since: string | null;
  readonly patienceMs: number;
  readonly fullCount: boolean;
  readonly json: boolean;
}

export const USAGE = `usage: npm run reconcile -- [options]

Compares the counters, the gauges and the revocation feed of a live deployment with the rows in its database (DATABASE_URL, or
the embedded one).
Exit codes: 0 equal, or explained by a process that has ended; 1 they differ; 2 bad usage; 3 something does not answer;
78 bad configuration.

  --scrape <urls>      /metrics of every replica, comma separated (the one of PORT or METRICS_PORT on this machine);
                       with METRICS_API_KEY where that is set
  --prometheus <url>   asks a Prometheus instead, which also knows of processes that have ended
  --job <name>         its scrape job of the service (grantex-auth)
  --lookback <days>    how far back its samples are looked at, without --since (15; at most ${REMEMBERED_DAYS})
  --snapshot <file>    compares nothing; writes down how things stand, as the beginning of an interval
  --since <file>       compares what has come since that snapshot; without it, since the database was new
  --patience <seconds> how long to look again before a difference is one (15; 60 with --prometheus: longer than two scrapes)
  --full-count         compares the gauges with a count of all rows, instead of the numbers that the service keeps
  --json               the findings as JSON
  --help
`;

const DAY_MS = 86_400_000;

/** @returns null when help is asked for. @throws {CommandError} */
export function readReconcileOptions(args: readonly string[]): ReconcileCommand | null {
  const values = parse(args);
  if (values.help) return null;
  if (values.scrape !== undefined && values.prometheus !== undefined)
    throw usageError('--scrape and --prometheus exclude each other');
  if (values.snapshot !== undefined && values.since !== undefined)
    throw usageError('--snapshot and --since exclude each other');
  const scrape = values.scrape?.split(',').map((url) => assertUrl('--scrape', url.trim())) ?? null;
  const prometheus = values.prometheus === undefined ? null : assertUrl('--prometheus', values.prometheus);
  return {
    scrape,
    prometheus,
    job: values.job,
    lookbackMs: positive('--lookback', values.lookback, REMEMBERED_DAYS) * DAY_MS,
    snapshot: values.snapshot ?? null,
    since: values.since ?? null,
    patienceMs: positive('--patience', values.patience ?? (prometheus === null ? '15' : '60')) * 1000,
    fullCount: values['full-count'],
    json: values.json,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        scrape: { type: 'string' },
        prometheus: { type: 'string' },
        job: { type: 'string', default: 'grantex-auth' },
        lookback: { type: 'string', default: '15' },
        snapshot: { type: 'string' },
        since: { type: 'string' },
        patience: { type: 'string' },
        'full-count': { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw usageError(parseFault(error));
  }
}

function assertUrl(name: string, text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw usageError(`${name}: "${text}" is no http or https URL`);
  return text;
}

function positive(name: string, text: string, most = 1e6): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0) || value > most)
    throw usageError(`${name} must be a number above 0, and at most ${most}`);
  return value;
}
