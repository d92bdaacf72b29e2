import type { Queryable } from '../db/queryable.ts';
import type { Deps } from '../deps.ts';
import { describeFinding, severityOf } from './finding.ts';
import { type DetectionScope, findAnomalies } from './rules-store.ts';
import { type Anomaly, openAnomalies } from './store.ts';

const STORED_AT_ONCE = 500;
const newestFirst = (a: Anomaly, b: Anomaly) =>
  b.detectedAt.getTime() - a.detectedAt.getTime() || (a.id < b.id ? 1 : -1);

export type DetectDeps = Pick<Deps, 'telemetry' | 'clock' | 'ids' | 'config'>;

export interface Detection {
  readonly detectedAt: Date;
  /** Opened or seen again, newest first. */
  readonly anomalies: readonly Anomaly[];
}

/**
 * Asks all rules about the agents in `scope`, and opens what they find. It reads and advises: no token waits for it, and
 * it takes none back.
 * @param since the rules leave out single facts before it
 */
export function detectAnomalies(
  { telemetry, clock, ids, config }: DetectDeps,
  db: Queryable,
  scope: DetectionScope,
  since: Date,
): Promise<Detection> {
  return telemetry.inSpan('grantex.anomaly.detect', {}, async () => {
    const now = clock.now();
    const detectedAt = new Date(now);
    const found = await findAnomalies(db, config, scope, { now: detectedAt, since });
    const rows = found.map((finding) => ({
      ...finding,
      id: ids.next('anm', now),
      severity: severityOf(finding.type),
      description: describeFinding(finding),
    }));
    const anomalies: Anomaly[] = [];
    for (let from = 0; from < rows.length; from += STORED_AT_ONCE) {
      const stored = await openAnomalies(db, rows.slice(from, from + STORED_AT_ONCE), detectedAt);
      // Told after the commit. When only the answer to the commit was lost, the rows say more than the counter.
      for (const { opened, ...anomaly } of stored) {
        if (opened) telemetry.events.anomalyDetected(anomaly);
        anomalies.push(anomaly);
      }
    }
    return { detectedAt, anomalies: anomalies.sort(newestFirst) };
  });
}
