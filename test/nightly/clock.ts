import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A clock that a step lives on. */
export interface Clock {
  /** The time of day at its start; the true one unless given. */
  readonly startsAt?: (now: Date) => Date;
  /** As the time zone database names it. */
  readonly zone?: string;
}

const WITH_CLOCK = fileURLToPath(new URL('with-clock.sh', import.meta.url));
const LIBRARIES = '/usr/lib';
/** The path that Debian's package libfaketime gives it below the directory of each architecture. */
const LIBRARY = 'faketime/libfaketime.so.1';
/** How far a probe may be off: starting a process takes a while on a busy machine. */
const PROBE_MS = 30_000;

const isLeap = (year: number) => new Date(Date.UTC(year, 1, 29)).getUTCMonth() === 1;

/** The next moment, in UTC, of a time of day. */
export function nextTime(now: Date, hours: number, minutes: number): Date {
  const at = new Date(now);
  at.setUTCHours(hours, minutes, 0, 0);
  if (at <= now) at.setUTCDate(at.getUTCDate() + 1);
  return at;
}

/** Ten seconds before the next year in UTC: the databases are made in the old one, and tests run in both. */
export function beforeNewYear(now: Date): Date {
  const of = (year: number) => new Date(Date.UTC(year, 11, 31, 23, 59, 50));
  const at = of(now.getUTCFullYear());
  return at > now ? at : of(now.getUTCFullYear() + 1);
}

/** Noon in UTC of the next 29 February. */
export function nextLeapDay(now: Date): Date {
  for (let year = now.getUTCFullYear(); ; year++) {
    const at = new Date(Date.UTC(year, 1, 29, 12));
    if (isLeap(year) && at > now) return at;
  }
}

const library = (): string | undefined =>
  readdirSync(LIBRARIES)
    .map((directory) => join(LIBRARIES, directory, LIBRARY))
    .find(existsSync);

/** What this machine lacks for clocks of the tests' own. */
export function missingForClocks(): string[] {
  return [
    ...(process.platform === 'linux' ? [] : ['Linux, for mount namespaces']),
    ...(process.getuid?.() === 0 ? [] : ['root, for mount namespaces']),
    ...(existsSync('/usr/share/zoneinfo/Pacific/Kiritimati')
      ? []
      : ['the time zones: apt-get install tzdata']),
    ...(library() ? [] : ['libfaketime: apt-get install faketime']),
  ];
}

/**
 * The command that runs `command`, with all that it starts, on `clock`.
 * @throws when a process that inherits nothing sees another time or zone than that
 */
export function onClock({ startsAt, zone = 'UTC' }: Clock, command: readonly string[]): string[] {
  const now = new Date();
  const seconds = startsAt ? Math.round((startsAt(now).getTime() - now.getTime()) / 1000) : 0;
  const moved = ['unshare', '--mount', 'sh', WITH_CLOCK, String(seconds), zone, library() ?? ''];
  const script = 'console.log(Date.now(), Intl.DateTimeFormat().resolvedOptions().timeZone)';
  const [program = '', ...args] = [...moved, 'env', '--ignore-environment', process.execPath, '-e', script];
  const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  const [time, seen] = stdout.trim().split(' ');
  const off = Math.abs(Number(time) - Date.now() - seconds * 1000);
  if (!(off < PROBE_MS) || seen !== zone)
    throw new Error(`the clock cannot be moved: ${off} ms off, in the zone ${seen}: ${stderr}`);
  return [...moved, ...command];
}
