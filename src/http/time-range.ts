import { badRequest, type ServiceError } from '../errors.ts';

/** The bounds of a list by time, as a query has them: ISO 8601, in UTC unless they name another zone. */
interface TimeRange {
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}

/** The bounds that were given, as times. Check them with `faultOfTimes` first. */
export const timesOf = ({
  since,
  until,
}: TimeRange): { since: Date | undefined; until: Date | undefined } => ({
  since: timeOf(since),
  until: timeOf(until),
});

/** The refusal of a bound that is no time, or null. */
export const faultOfTimes = ({ since, until }: TimeRange): ServiceError | null =>
  faultOfTime('since', since) ?? faultOfTime('until', until);

/** JavaScript would read a time without a zone in the zone of the machine. */
const WITHOUT_ZONE = /^[\d-]+[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?$/i;

/** A time in a query. It is UTC unless it names another zone. */
const timeOf = (text: string | undefined): Date | undefined =>
  text === undefined ? undefined : new Date(WITHOUT_ZONE.test(text) ? `${text}Z` : text);

function faultOfTime(name: string, text: string | undefined): ServiceError | null {
  const time = timeOf(text);
  if (text === undefined || time === undefined) return null;
  // JavaScript accepts the year 0 and years of more than four digits in UTC, but PostgreSQL does not.
  const year = time.getUTCFullYear();
  const sound = year >= 1 && year <= 9999 && beginsWithADay(text);
  return sound ? null : badRequest(`${name} must be an ISO 8601 time`);
}

/** JavaScript turns the 30th of February into the 2nd of March. */
function beginsWithADay(text: string): boolean {
  const [written] = /^\d{4}-\d\d-\d\d/.exec(text) ?? [];
  const day = new Date(`${written}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(`${written}T`);
}
