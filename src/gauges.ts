import { agentsWithSeries } from './agents/names-store.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import type { Database } from './db/client.ts';
import type { HeldConnections } from './feed/held-connections.ts';
import { cutoffsAt } from './retention/cutoffs.ts';
import { oldestDueSeconds } from './retention/oldest-store.ts';
import type { RevocationFollower } from './revocations/follow-feed.ts';
import type { KeyRing } from './signing-keys/key-ring.ts';
import { keptActiveGrants, keptRemovalPending, keptUnacknowledged } from './tallies/store.ts';
import type { Telemetry } from './telemetry/telemetry.ts';
import { oldestPendingSeconds } from './webhooks/delivery-store.ts';

/**
 * Begins to report what is read rather than recorded: kept numbers of rows, keys and connections. It reads on the side connection, so
 * that a scrape waits behind no request.
 * @returns the function that ends this; call it before the database is closed
 */
export function reportGauges({
  config,
  telemetry,
  db,
  keys,
  clock,
  revocations,
  heldConnections,
}: {
  config: Config;
  telemetry: Telemetry;
  db: Database;
  keys: KeyRing;
  clock: Clock;
  revocations: RevocationFollower;
  heldConnections: HeldConnections;
}): () => void {
  const ends = [
    telemetry.observeActiveGrants(() => keptActiveGrants(db.side, new Date(clock.now()))),
    telemetry.observeRemovalPending(() => keptRemovalPending(db.side, new Date(clock.now()))),
    telemetry.observeOldestPendingDelivery(() => oldestPendingSeconds(db.side, clock.now())),
    telemetry.observeUnacknowledgedAnomalies(() => keptUnacknowledged(db.side)),
    telemetry.observeRetention(() => oldestDueSeconds(db.side, cutoffsAt(config, clock.now()))),
    ...(config.metricsPerAgent && config.metricsAgentNames
      ? [telemetry.observeAgents(() => agentsWithSeries(db.side, config.metricsAgentLimit))]
      : []),
    telemetry.observeSigningKeys(() => keys.observe()),
    telemetry.observeFeeds({
      clients: heldConnections.count,
      lagSeconds: revocations.lagSeconds,
    }),
    telemetry.database.observePool('main', () => db.connections()),
    telemetry.database.observePool('side', () => db.side.connections()),
    telemetry.database.observePool('background', () => db.background.connections()),
  ];
  return () => {
    for (const end of ends) end();
  };
}
