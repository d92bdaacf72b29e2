/** The longest pause. */
const MAX_SECONDS = 24 * 60 * 60;
/** The shortest pause. */
const MIN_SECONDS = 1;

const clamp = (seconds: number) => Math.min(Math.max(seconds, MIN_SECONDS), MAX_SECONDS);

/**
 * Seconds until the next attempt. The first pause is about `baseSeconds` and each one twice the pause before, give or take a
 * quarter, so that what failed together does not come again together. A receiver can only lengthen a pause: if it could
 * shorten them, all attempts would be over in seconds, and the event lost.
 * @param attempts that have failed, at least one
 * @param random from 0 to 1
 */
export function retryDelay(
  attempts: number,
  { baseSeconds, retryAfter, random }: { baseSeconds: number; retryAfter: number | null; random: number },
): number {
  const backoff = baseSeconds * 2 ** (attempts - 1) * (0.75 + random / 2);
  return clamp(Math.max(backoff, retryAfter ?? 0));
}

/** Seconds that a `Retry-After` header asks for, as a number or as a date (RFC 9110 §10.2.3); null: it says nothing. */
export function parseRetryAfter(text: string | undefined, now: number): number | null {
  if (text === undefined) return null;
  const said = text.trim();
  if (/^\d{1,9}$/.test(said)) return Number(said);
  // Only the three forms of HTTP-date begin with the name of a day. Date.parse would accept much more. One of the forms has
  // no zone, and means GMT.
  const date = /\d$/.test(said) ? `${said} GMT` : said;
  const time = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(said) ? Date.parse(date) : Number.NaN;
  return Number.isNaN(time) ? null : Math.max(0, Math.ceil((time - now) / 1000));
}
