import type { Queryable } from '../db/client.ts';
import type { Deps } from '../deps.ts';
import { describeFinding, severityOf } from './finding.ts';
import { findAnomalies, type Target } from './rules-store.ts';
import { type Anomaly, openAnomalies } from './store.ts';

export interface Detection {
  readonly detectedAt: Date;
  /** Opened or seen again, newest first. */
  readonly anomalies: readonly Anomaly[];
}

/**
 * Asks all rules about the agents of `target`, and opens what they find. It reads and advises: no token waits for it, and
 * none is taken back by it.
 * @param since single facts before it are not looked at
 */
export function detectAnomalies(
  { telemetry, clock, ids, config }: Pick<Deps, 'telemetry' | 'clock' | 'ids' | 'config'>,
  db: Queryable,
  target: Target,
  since: Date,
): Promise<Detection> {
  return telemetry.inSpan('grantex.anomaly.detect', {}, async () => {
    const now = clock.now();
    const detectedAt = new Date(now);
    const found = await findAnomalies(db, config, target, { now: detectedAt, since });
    const rows = found.map((finding) => ({
      ...finding,
      id: ids.next('anm', now),
      severity: severityOf(finding.type),
      description: describeFinding(finding),
    }));
    const stored = rows.length === 0 ? [] : await openAnomalies(db, rows, detectedAt);
    // Told after the commit. When only the answer to the commit was lost, the rows say more than the counter.
    for (const anomaly of stored) if (anomaly.opened) telemetry.events.anomalyDetected(anomaly);
    return { detectedAt, anomalies: stored.map(({ opened, ...anomaly }) => anomaly) };
  });
}
