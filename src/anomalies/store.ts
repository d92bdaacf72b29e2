import type { AnomalySeverity, AnomalyType } from '../config.ts';
import type { Queryable } from '../db/client.ts';
import { countOf } from '../db/count.ts';
import { describeStatement } from '../telemetry/database.ts';

export interface Anomaly {
  readonly id: string;
  readonly type: AnomalyType;
  readonly severity: AnomalySeverity;
  readonly agentId: string;
  readonly principalId: string | null;
  readonly description: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly detectedAt: Date;
  readonly acknowledgedAt: Date | null;
}

/** A finding as it is stored; `id` is taken if it opens an anomaly. */
export interface NewAnomaly extends Omit<Anomaly, 'detectedAt' | 'acknowledgedAt'> {
  readonly developerId: string;
  /** Of the newest fact that it rests on. */
  readonly at: Date;
}

const COLUMNS = `id, type, severity, agent_id as "agentId", principal_id as "principalId", description, metadata,
  detected_at as "detectedAt", acknowledged_at as "acknowledgedAt"`;

// What an acknowledgement has covered opens nothing again. The rows are written in one order, so that replicas that find
// the same at the same moment wait for each other and not in a circle.
const open = describeStatement({
  operation: 'INSERT',
  collection: 'anomalies',
  name: 'anomalies.open',
  text: `with found as materialized (
      select * from jsonb_to_recordset($1::text::jsonb) as found (id text, "developerId" text, type text, severity text,
        "agentId" text, "principalId" text, description text, metadata jsonb, at timestamptz)),
    stored as (
      insert into anomalies (id, developer_id, type, severity, agent_id, principal_id, description, metadata, detected_at,
        seen_at)
      select id, "developerId", type, severity, "agentId", "principalId", description, metadata, $2, $2 from found
      where not exists (
        select from anomalies known
        where known.developer_id = found."developerId" and known.type = found.type and known.agent_id = found."agentId"
          and coalesce(known.principal_id, '') = coalesce(found."principalId", '') and known.acknowledged_at >= found.at)
      order by "developerId", type, "agentId", "principalId"
      on conflict (developer_id, type, agent_id, coalesce(principal_id, '')) where acknowledged_at is null
      do update set description = excluded.description, metadata = excluded.metadata, seen_at = excluded.seen_at
      returning *)
    select ${COLUMNS}, id in (select id from found) as opened from stored order by detected_at desc, id desc`,
});
const newest = [false, true].map((openOnly) => {
  const where = `developer_id = $1${openOnly ? ' and acknowledged_at is null' : ''}`;
  return {
    page: describeStatement({
      operation: 'SELECT',
      collection: 'anomalies',
      name: openOnly ? 'anomalies.newest_open' : 'anomalies.newest',
      text: `select ${COLUMNS} from anomalies where ${where} order by detected_at desc, id desc limit $2`,
    }),
    count: describeStatement({
      operation: 'SELECT',
      collection: 'anomalies',
      name: openOnly ? 'anomalies.count_open' : 'anomalies.count',
      text: `select count(*)::int as total from anomalies where ${where}`,
    }),
  };
});
const acknowledge = describeStatement({
  operation: 'UPDATE',
  collection: 'anomalies',
  name: 'anomalies.acknowledge',
  text: `update anomalies set acknowledged_at = coalesce(acknowledged_at, $3), notes = coalesce($4, notes)
    where developer_id = $1 and id = $2 returning ${COLUMNS}`,
});
const unacknowledged = describeStatement({
  operation: 'SELECT',
  collection: 'anomalies',
  name: 'anomalies.count_unacknowledged',
  text: 'select count(*)::int as total from anomalies where acknowledged_at is null',
});
const tallyRefused = describeStatement({
  operation: 'INSERT',
  collection: 'failed_exchanges',
  name: 'anomalies.tally_failed_exchanges',
  text: `insert into failed_exchanges (agent_id, minute, total, last_at)
    select "agentId", date_trunc('minute', at), total, at
    from jsonb_to_recordset($1::text::jsonb) as refused ("agentId" text, total int, at timestamptz) order by "agentId"
    on conflict (agent_id, minute) do update set total = failed_exchanges.total + excluded.total,
      last_at = greatest(failed_exchanges.last_at, excluded.last_at)`,
});
const forgetRefused = describeStatement({
  operation: 'DELETE',
  collection: 'failed_exchanges',
  name: 'anomalies.forget_failed_exchanges',
  text: 'delete from failed_exchanges where minute < $1',
});
// By the database's clock: those of the replicas may differ.
const claimScan = describeStatement({
  operation: 'UPDATE',
  collection: 'anomaly_scan',
  name: 'anomalies.claim_scan',
  text: `update anomaly_scan set begun_at = now() where begun_at <= now() - make_interval(secs => $1::int)
    returning only_row`,
});

/**
 * Opens an anomaly for each finding, or brings the open one up to date; whatever runs at the same moment, there is one open
 * one for each (developer, type, agent, principal).
 * @returns those that were written, newest first; `opened`: by this call
 */
export const openAnomalies = (
  db: Queryable,
  found: readonly NewAnomaly[],
  now: Date,
): Promise<(Anomaly & { readonly opened: boolean })[]> => db.rows(open, [JSON.stringify(found), now]);

/** The newest `limit` anomalies of a developer, and how many there are. */
export async function listAnomalies(
  db: Queryable,
  developerId: string,
  { openOnly, limit }: { openOnly: boolean; limit: number },
): Promise<{ anomalies: Anomaly[]; total: number }> {
  const statements = newest[openOnly ? 1 : 0];
  if (!statements) throw new Error('no such list');
  const [anomalies, total] = await Promise.all([
    db.rows<Anomaly>(statements.page, [developerId, limit]),
    countOf(db, statements.count, [developerId]),
  ]);
  return { anomalies, total };
}

/** Marks an anomaly as seen by somebody; the first time counts. @returns undefined when the developer has no such anomaly */
export async function acknowledgeAnomaly(
  db: Queryable,
  of: { developerId: string; id: string; now: Date; notes: string | null },
): Promise<Anomaly | undefined> {
  const [anomaly] = await db.rows<Anomaly>(acknowledge, [of.developerId, of.id, of.now, of.notes]);
  return anomaly;
}

/** Anomalies without an acknowledgement, of all developers. */
export const countUnacknowledged = (db: Queryable): Promise<number> => countOf(db, unacknowledged, []);

/** Adds to the numbers of refused exchanges; `at` is the newest of each agent. */
export async function tallyFailedExchanges(
  db: Queryable,
  refused: readonly { agentId: string; total: number; at: Date }[],
): Promise<void> {
  if (refused.length > 0) await db.rows(tallyRefused, [JSON.stringify(refused)]);
}

/** Forgets refused exchanges before a time. */
export async function forgetFailedExchanges(db: Queryable, before: Date): Promise<void> {
  await db.rows(forgetRefused, [before]);
}

/** Takes the turn to look at all agents. @returns false when some replica took it within the last `seconds` */
export async function claimAnomalyScan(db: Queryable, seconds: number): Promise<boolean> {
  return (await db.rows(claimScan, [seconds])).length > 0;
}
