import { type BackgroundLoop, createBackgroundLoop } from '../background-loop.ts';
import type { Queryable } from '../db/queryable.ts';
import { purgeAgent } from './removal-purge-store.ts';
import { collectGrants, expandGrants, nextRemoval, type OpenRemoval, revokeFound } from './removal-store.ts';
import { type Revocation, type RevokeDeps, recordRevocation } from './revoke-grants.ts';

/** How soon a removal is noticed, whichever replica answered its request. */
const LOOK_EVERY_MS = 1000;
/** Rows of one step: a few hundred milliseconds at most. */
const FOUND_AT_ONCE = 10_000;
const REVOKED_AT_ONCE = 500;
const PURGED_AT_ONCE = 2000;

interface Step {
  /** There may be more to do at once. */
  readonly more: boolean;
  readonly revoked: Revocation | null;
}

/**
 * Works off removals in the background, in small transactions; whichever replica takes a step goes on where the last one
 * stopped. First it finds all grants that are dead, so that they can be counted, then it revokes them, each with its webhook
 * deliveries, and at last removes the rows of an agent that was deleted. Counters and log lines follow each commit.
 */
export function createRemovalWorker(deps: RevokeDeps): BackgroundLoop {
  return createBackgroundLoop({
    retryMs: LOOK_EVERY_MS,
    async step() {
      const { more, revoked } = await deps.db.background.transaction((tx) => workOff(deps, tx));
      if (revoked) recordRevocation(deps, revoked);
      return more ? 0 : LOOK_EVERY_MS;
    },
    onError: (error) => deps.telemetry.events.backgroundWorkFailed({ work: 'removals', error }),
  });
}

async function workOff({ clock, ids, config }: RevokeDeps, tx: Queryable): Promise<Step> {
  const removal = await nextRemoval(tx);
  if (!removal) return { more: false, revoked: null };
  switch (removal.phase) {
    case 'collect':
    case 'sweep':
      await collectGrants(tx, removal, FOUND_AT_ONCE);
      return { more: true, revoked: null };
    case 'expand':
      await expandGrants(tx, removal, FOUND_AT_ONCE);
      return { more: true, revoked: null };
    case 'revoke': {
      const now = clock.now();
      const rows = await revokeFound(tx, removal, {
        limit: REVOKED_AT_ONCE,
        now: new Date(now),
        seed: ids.next('evt', now),
        maxAttempts: config.webhookMaxAttempts,
      });
      const { developerId, revokedBy } = removal;
      // Nothing was free: requests hold what is left.
      return { more: rows?.length !== 0, revoked: rows && { developerId, revokedBy, rows } };
    }
    case 'purge':
      return { more: await purge(tx, removal), revoked: null };
  }
}

async function purge(tx: Queryable, { agentId, ...removal }: OpenRemoval): Promise<boolean> {
  if (agentId === null) throw new Error('only the removal of an agent has rows to purge');
  return purgeAgent(tx, { ...removal, agentId }, PURGED_AT_ONCE);
}
