import { setTimeout } from 'node:timers/promises';
import type { AgentActivity, Deps } from '../deps.ts';
import { outsideRequests } from '../request-scope.ts';
import { within } from '../within.ts';
import { type DetectDeps, detectAnomalies } from './detect-anomalies.ts';
import { claimAnomalyScan, forgetFailedExchanges, tallyFailedExchanges } from './watch-store.ts';

/** Delay between an agent's action and the detection. The agent may do more in the meantime. */
const LOOK_EVERY_MS = 1000;
/**
 * The pause after a detection is this many times as long as the detection, so it uses at most a tenth of a connection.
 */
const PAUSE_FACTOR = 9;
const MAX_PAUSE_MS = 60_000;
/**
 * The maximum number of agents in one detection, and of agents queued for later ones. The scan of all agents covers the
 * rest.
 */
const AGENTS_AT_ONCE = 1000;
const MAX_REMEMBERED = 20_000;
/** A committed row may have a timestamp slightly earlier than the moment when this process learned of it. */
const MARGIN_MS = 10_000;
/** How often a replica asks whether it is its turn to scan all agents. */
const MAX_CLAIM_SECONDS = 30;
const HOUR_MS = 60 * 60 * 1000;

export interface AnomalyWatch extends AgentActivity {
  /** Begins the work. Call it once. */
  start(): void;
  /** Begins no new detection, and waits at most `graceMs` for one that is running. */
  stop(graceMs: number): Promise<void>;
}

type WatchDeps = DetectDeps & Pick<Deps, 'db'>;

/**
 * Detects anomalies of agents shortly after they act on this replica. From time to time one replica also scans all
 * agents on behalf of every replica.
 */
export function createAnomalyWatch(deps: WatchDeps): AnomalyWatch {
  const { clock, config, telemetry } = deps;
  const db = deps.db.background;
  /** The time since which each agent waits for detection. */
  const acted = new Map<string, number>();
  const refused = new Map<string, { total: number; at: Date }>();
  const stopping = new AbortController();
  let claimAt = 0;
  let forgetAt = 0;

  /** An abort by a shutdown is no failure. */
  const report = (error: unknown) => {
    if (!stopping.signal.aborted) telemetry.events.anomalyScanFailed({ error });
  };

  const remember = (agentId: string) => {
    if (acted.size < MAX_REMEMBERED && !acted.has(agentId)) acted.set(agentId, clock.now());
  };

  const storeRefusals = async () => {
    const rows = [...refused].map(([agentId, tally]) => ({ agentId, ...tally }));
    refused.clear();
    await tallyFailedExchanges(db, rows);
  };

  const detectAmongActive = async () => {
    const some = [...acted].slice(0, AGENTS_AT_ONCE);
    if (some.length === 0) return;
    for (const [agentId] of some) acted.delete(agentId);
    const since = Math.min(...some.map(([, at]) => at)) - MARGIN_MS;
    await detectAnomalies(deps, db, { agents: some.map(([agentId]) => agentId) }, new Date(since));
  };

  const detectAmongAll = async () => {
    if (performance.now() < claimAt) return;
    claimAt = performance.now() + Math.min(config.anomalyScanSeconds, MAX_CLAIM_SECONDS) * 1000;
    if (!(await claimAnomalyScan(db, config.anomalyScanSeconds))) return;
    // A replica may end before it handles its queue. The next scan, or the one after it, covers those agents.
    const since = clock.now() - 2 * config.anomalyScanSeconds * 1000 - HOUR_MS;
    await detectAnomalies(deps, db, null, new Date(since));
  };

  const forgetRefusals = async () => {
    if (performance.now() < forgetAt) return;
    forgetAt = performance.now() + HOUR_MS;
    const kept = (config.anomalyFailureWindowHours + 1) * HOUR_MS;
    await forgetFailedExchanges(db, new Date(clock.now() - kept));
  };

  const run = async () => {
    while (!stopping.signal.aborted) {
      const begun = performance.now();
      // A failure in one detection is no reason to skip the others.
      for (const step of [storeRefusals, detectAmongActive, detectAmongAll, forgetRefusals])
        if (!stopping.signal.aborted) await step().catch(report);
      const took = performance.now() - begun;
      await pause(Math.min(Math.max(LOOK_EVERY_MS, took * PAUSE_FACTOR), MAX_PAUSE_MS), stopping.signal);
    }
  };
  let running: Promise<void> = Promise.resolve();

  return {
    start() {
      // Outside the context of whatever starts it: its work belongs to no request.
      running = outsideRequests(run);
    },
    agentActed: remember,
    exchangeFailed(agentId) {
      if (refused.size >= MAX_REMEMBERED && !refused.has(agentId)) return;
      refused.set(agentId, { total: (refused.get(agentId)?.total ?? 0) + 1, at: new Date(clock.now()) });
      remember(agentId);
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
