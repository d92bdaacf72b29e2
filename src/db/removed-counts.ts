/**
 * For so long it is remembered of every count when it was made, of removed rows and of ended processes. `npm run reconcile` looks
 * back no further.
 */
export const REMEMBERED_DAYS = 90;

/**
 * A common table expression that keeps when rows had been counted that go before their time, in the statement that removes them.
 * @param from selects of (counted, at, n): how much a row had counted for, and when; a time that is null is left out
 */
export const timed = (from: string): string => `timed as (
      insert into removed_counts (counted, minute, total)
      select counted, date_trunc('minute', at, 'UTC') as minute, sum(n)
      from (${from}) removed (counted, at, n)
      where n > 0 and at > now() - interval '${REMEMBERED_DAYS} days' group by 1, 2 order by 1, 2
      on conflict (counted, minute) do update set total = removed_counts.total + excluded.total)`;
