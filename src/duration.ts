import { badRequest, type ServiceError } from './errors.ts';

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
const TEN_YEARS = 3650 * SECONDS.d;

/** Seconds of a duration like `24h`; NaN for anything but `<n>s|m|h|d`. */
export function durationSeconds(text: string): number {
  const match = /^([1-9]\d{0,8})([smhd])$/.exec(text);
  return match ? Number(match[1]) * SECONDS[match[2] as keyof typeof SECONDS] : Number.NaN;
}

/** BAD_REQUEST for an `expiresIn` that is no duration, or longer than ten years; null for a good one. */
export const faultOfDuration = (text: string): ServiceError | null =>
  durationSeconds(text) <= TEN_YEARS
    ? null
    : badRequest('expiresIn must be <n>s, <n>m, <n>h or <n>d, at most ten years');

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
