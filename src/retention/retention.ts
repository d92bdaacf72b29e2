/**
 * Retention: removes what has ended long ago, so that no table grows for ever. One replica at a time works, in the background.
 * `remove-ended.ts` goes through the tables, the stores have the statements, `tally-store.ts` keeps the numbers of what has gone.
 * Tables: `retention_tallies`, `retention_positions`, `retention_turn`, `audit_prefixes`; it deletes from those of other rooms.
 * Only the service calls: it starts and stops this, and reads `oldest-store.ts` for a gauge.
 */
import { setTimeout } from 'node:timers/promises';
import type { Deps } from '../deps.ts';
import { outsideRequests } from '../request-scope.ts';
import { within } from '../within.ts';
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

export interface Retention {
  /** Begins the work. Call it once. */
  start(): void;
  /** Begins no further statement, waits at most `graceMs` for one that runs, and gives the turn back. */
  stop(graceMs: number): Promise<void>;
}

/** Removes what has ended on this replica whenever it is its turn. */
export function createRetention(deps: RemoveDeps & Pick<Deps, 'ids'>): Retention {
  const db = deps.db.background;
  const holder = deps.ids.secret(12);
  const stopping = new AbortController();
  const { signal } = stopping;

  /** An abort by a shutdown is no failure. */
  const report = (error: unknown) => {
    if (!signal.aborted) deps.telemetry.events.retentionFailed({ step: 'turn', error });
  };

  const work = async () => {
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

  const run = async () => {
    while (!signal.aborted) {
      await work().catch(report);
      await pause(LOOK_EVERY_MS, signal);
    }
    await giveRetentionTurnBack(db, holder).catch(report);
  };
  let running: Promise<void> = Promise.resolve();

  return {
    start() {
      // Outside the context of whatever starts it: its work belongs to no request.
      running = outsideRequests(run);
    },
    async stop(graceMs) {
      stopping.abort();
      await within(graceMs, running);
    },
  };
}

/** Waits. An abort of `signal` ends the wait early without an error. */
const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  setTimeout(ms, undefined, { signal }).catch(() => undefined);
