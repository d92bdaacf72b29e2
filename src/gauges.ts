import { countUnacknowledged } from './anomalies/store.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import type { Database } from './db/client.ts';
import { countActiveGrants } from './grants/store.ts';
import { cutoffsAt } from './retention/cutoffs.ts';
import { oldestDueSeconds } from './retention/oldest-store.ts';
import type { KeyRing } from './signing-keys/key-ring.ts';
import type { Telemetry } from './telemetry/telemetry.ts';
import { oldestPendingSeconds } from './webhooks/delivery-store.ts';

/**
 * Begins to report what is read rather than counted: rows, keys and connections. It reads on the side connection, so
 * that a scrape waits behind no request.
 * @returns the function that ends this; call it before the database is closed
 */
export function reportGauges({
  config,
  telemetry,
  db,
  keys,
  clock,
}: {
  config: Config;
  telemetry: Telemetry;
  db: Database;
  keys: KeyRing;
  clock: Clock;
}): () => void {
  const ends = [
    telemetry.observeActiveGrants(() => countActiveGrants(db.side, new Date(clock.now()))),
    telemetry.observeOldestPendingDelivery(() => oldestPendingSeconds(db.side, clock.now())),
    telemetry.observeUnacknowledgedAnomalies(() => countUnacknowledged(db.side)),
    telemetry.observeRetention(() => oldestDueSeconds(db.side, cutoffsAt(config, clock.now()))),
    telemetry.observeSigningKeys(() => keys.observe()),
    telemetry.database.observePool('main', () => db.connections()),
    telemetry.database.observePool('side', () => db.side.connections()),
    telemetry.database.observePool('background', () => db.background.connections()),
  ];
  return () => {
    for (const end of ends) end();
  };
}
