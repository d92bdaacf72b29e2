import { badRequest } from './errors.ts';

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
const TEN_YEARS = 3650 * SECONDS.d;

/**
 * Seconds of a duration like `24h`.
 * @throws BAD_REQUEST for anything but `<n>s|m|h|d` from one second to ten years
 */
export function parseDuration(text: string): number {
  const match = /^([1-9]\d{0,8})([smhd])$/.exec(text);
  const seconds = match ? Number(match[1]) * SECONDS[match[2] as keyof typeof SECONDS] : Number.NaN;
  if (seconds <= TEN_YEARS) return seconds;
  throw badRequest('expiresIn must be <n>s, <n>m, <n>h or <n>d, at most ten years');
}

/** A number of seconds as a person says it, in the largest units that fit: "24 hours", "1 day and 30 minutes". */
export function durationInWords(seconds: number): string {
  const units = [
    ['day', SECONDS.d],
    ['hour', SECONDS.h],
    ['minute', SECONDS.m],
    ['second', SECONDS.s],
  ] as const;
  if (seconds === SECONDS.d) return '24 hours';
  const parts: string[] = [];
  let rest = seconds;
  for (const [name, size] of units) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count} ${name}${count === 1 ? '' : 's'}`);
  }
  return new Intl.ListFormat('en-GB', { type: 'conjunction' }).format(parts);
}
