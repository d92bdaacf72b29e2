/**
 * Kept numbers: what the gauges of the whole database tell, at a cost that does not grow with its tables. Triggers of the
 * schema write each change with the statement that makes it (`tally_changes`); this room adds the changes up (`tallies`), on
 * one replica at a time, and takes out what has expired. The gauges and `reconcile` read the numbers. Requests that expired
 * are counted here too, for the counter of their ends.
 */
import { type BackgroundLoop, createBackgroundLoop } from '../background-loop.ts';
import type { Deps } from '../deps.ts';
import { countExpiredRequests } from './expired-store.ts';
import { foldTallies } from './store.ts';

/** How long changes wait. A reading adds those that wait, so this bounds its cost and not its exactness. */
const FOLD_EVERY_MS = 2000;
const CHANGES_AT_ONCE = 10_000;
const ROWS_AT_ONCE = 20_000;
const MINUTE_MS = 60_000;

/** Keeps the numbers from the start to the stop of the service. */
export function createTallyKeeper({
  db,
  clock,
  telemetry,
}: Pick<Deps, 'db' | 'clock' | 'telemetry'>): BackgroundLoop {
  return createBackgroundLoop({
    retryMs: FOLD_EVERY_MS,
    async step() {
      // A whole minute that has ended: few transactions are still to write changes of before it.
      const target = new Date((Math.floor(clock.now() / MINUTE_MS) - 1) * MINUTE_MS);
      const more = await db.background.transaction((tx) =>
        foldTallies(tx, { target, changes: CHANGES_AT_ONCE, rows: ROWS_AT_ONCE }),
      );
      const expired = await countExpiredRequests(db.background, { target, limit: ROWS_AT_ONCE });
      telemetry.events.requestsExpired(expired);
      return more || expired.more ? 0 : FOLD_EVERY_MS;
    },
    onError: (error) => telemetry.events.backgroundWorkFailed({ work: 'tallies', error }),
  });
}
