import { type BackgroundLoop, createBackgroundLoop } from '../background-loop.ts';
import type { Deps } from '../deps.ts';
import { takeOperatorChanges } from './store.ts';

/** How soon a change by a command is counted and logged. */
const LOOK_EVERY_MS = 2000;
const CHANGES_AT_ONCE = 100;

/**
 * Counts and logs what operators changed by a command, as if a request had changed it. Each change is told by one replica; while
 * none runs, it waits.
 */
export function createChangeTeller({ db, telemetry }: Pick<Deps, 'db' | 'telemetry'>): BackgroundLoop {
  return createBackgroundLoop({
    retryMs: LOOK_EVERY_MS,
    async step() {
      const changes = await db.background.transaction((tx) => takeOperatorChanges(tx, CHANGES_AT_ONCE));
      for (const { developerId, agentId, change } of changes)
        telemetry.events.adminChanged(
          agentId === null
            ? { object: 'developer', change, developerId }
            : { object: 'agent', change, agentId, developerId, changes: ['status'] },
        );
      return changes.length === CHANGES_AT_ONCE ? 0 : LOOK_EVERY_MS;
    },
    onError: (error) => telemetry.events.backgroundWorkFailed({ work: 'operator_changes', error }),
  });
}
