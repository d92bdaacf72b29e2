/**
 * Retention: removes what has ended long ago, so that no table grows for ever. One replica at a time works, in the background.
 * `remove-ended.ts` goes through the tables, the stores have the statements, `tally-store.ts` keeps the numbers of what has gone.
 * Tables: `retention_tallies`, `retention_positions`, `retention_turn`, `audit_prefixes`; it deletes from those of other rooms.
 * Only the service calls: it starts and stops this, and reads `oldest-store.ts` for a gauge.
 */
import { type BackgroundLoop, createBackgroundLoop, pause } from '../background-loop.ts';
import type { Deps } from '../deps.ts';
import { type Pace, type RemoveDeps, removeEnded } from './remove-ended.ts';
import { giveRetentionTurnBack, takeRetentionTurn } from './state-store.ts';

/** How often a replica asks for the turn. The one that had it gets it again, and another one when it has disappeared. */
const LOOK_EVERY_MS = 20_000;
const TURN_SECONDS = 60;
/** While there is much to do, the turn is kept by asking for it anew. */
const KEEP_EVERY_MS = 10_000;
/** The pause after a statement is this many times as long as the statement: it has a fifth of one connection at most. */
const PAUSE_FACTOR = 4;
const MIN_PAUSE_MS = 5;

/** Removes what has ended on this replica whenever it is its turn. At a stop it gives the turn back. */
export function createRetention(deps: RemoveDeps & Pick<Deps, 'ids'>): BackgroundLoop {
  const db = deps.db.background;
  const holder = deps.ids.secret(12);

  const work = async (signal: AbortSignal) => {
    if (!(await takeRetentionTurn(db, holder, TURN_SECONDS))) return;
    let keptAt = performance.now();
    const pace: Pace = async (tookMs) => {
      await pause(Math.max(MIN_PAUSE_MS, tookMs * PAUSE_FACTOR), signal);
      if (signal.aborted) return false;
      if (performance.now() - keptAt < KEEP_EVERY_MS) return true;
      keptAt = performance.now();
      return takeRetentionTurn(db, holder, TURN_SECONDS);
    };
    await removeEnded(deps, pace);
  };

  return createBackgroundLoop({
    async step(signal) {
      await work(signal);
      return LOOK_EVERY_MS;
    },
    retryMs: LOOK_EVERY_MS,
    onError: (error) => deps.telemetry.events.retentionFailed({ step: 'turn', error }),
    atEnd: () => giveRetentionTurnBack(db, holder),
  });
}
