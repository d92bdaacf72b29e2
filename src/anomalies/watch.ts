import { type BackgroundLoop, createBackgroundLoop } from '../background-loop.ts';
import type { AgentActivity, Deps } from '../deps.ts';
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

export type AnomalyWatch = AgentActivity & BackgroundLoop;

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
  let claimAt = 0;
  let forgetAt = 0;

  const report = (error: unknown) => telemetry.events.anomalyScanFailed({ error });

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

  const loop = createBackgroundLoop({
    async step(signal) {
      const begun = performance.now();
      // A failure in one detection is no reason to skip the others. One that a stop cut off is none.
      for (const part of [storeRefusals, detectAmongActive, detectAmongAll, forgetRefusals])
        if (!signal.aborted)
          await part().catch((error: unknown) => {
            if (!signal.aborted) report(error);
          });
      const took = performance.now() - begun;
      return Math.min(Math.max(LOOK_EVERY_MS, took * PAUSE_FACTOR), MAX_PAUSE_MS);
    },
    retryMs: LOOK_EVERY_MS,
    onError: report,
  });

  return {
    ...loop,
    agentActed: remember,
    exchangeFailed(agentId) {
      if (refused.size >= MAX_REMEMBERED && !refused.has(agentId)) return;
      refused.set(agentId, { total: (refused.get(agentId)?.total ?? 0) + 1, at: new Date(clock.now()) });
      remember(agentId);
    },
  };
}
