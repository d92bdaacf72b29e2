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
  /** Opened or updated, newest first. */
  readonly anomalies: readonly Anomaly[];
}

/**
 * Runs all rules on the agents in `scope` and opens anomalies for their findings. Detection only advises: it delays no
 * token and revokes none.
 * @param since the rules ignore single facts before this time
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
      // The event follows the commit. When only the reply to the commit was lost, the table has more rows than the
      // counter counts.
      for (const { opened, ...anomaly } of stored) {
        if (opened) telemetry.events.anomalyDetected(anomaly);
        anomalies.push(anomaly);
      }
    }
    return { detectedAt, anomalies: anomalies.sort(newestFirst) };
  });
}
