/** What a removed row had counted for; the names of the members of the ledger (src/reconciliation). */
type Counted = 'requested' | 'consented' | 'delegated' | 'refreshed' | 'revoked' | 'anomalies';

/**
 * A common table expression that adds removed rows to their tallies, in the statement that removes them: a row and its tally
 * are never both there, and never both absent.
 * @param from selects of (counted, type, at, n): how much a row had counted for
 */
export const tallied = (from: string): string => `tallied as (
      insert into retention_tallies (counted, type, day, total)
      select counted, type, (at at time zone 'UTC')::date as day, sum(n)
      from (${from}) removed (counted, type, at, n) group by 1, 2, 3 order by 1, 2, 3
      on conflict (counted, type, day) do update set total = retention_tallies.total + excluded.total)`;

/** One select for `tallied`. */
export const counting = (
  counted: Counted,
  at: string,
  from: string,
  { type = "''", n = '1' }: { type?: string; n?: string } = {},
): string => `select '${counted}', ${type}, ${at}, ${n} from ${from}`;

/** Refresh tokens: each that has a predecessor was one refresh, and each repetition of its answer another one. */
export const countingRefreshes = counting('refreshed', 'issued_at', 'gone where predecessor is not null', {
  n: '1 + repeats',
});
