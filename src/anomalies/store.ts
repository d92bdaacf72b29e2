import { bigint, bool, int, jsonb, orNull, text, textOf, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import type { AnomalySeverity, AnomalyType } from '../label-values.ts';

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

/** A finding in the form in which it is stored. The anomaly gets this `id` if the finding opens one. */
export interface NewAnomaly extends Omit<Anomaly, 'detectedAt' | 'acknowledgedAt'> {
  readonly developerId: string;
  /** Time of the newest fact behind the finding. */
  readonly at: Date;
}

const COLUMNS = `id, type, severity, agent_id as "agentId", principal_id as "principalId", description, metadata,
  detected_at as "detectedAt", acknowledged_at as "acknowledgedAt"`;

const row = {
  id: text,
  type: textOf<AnomalyType>(),
  severity: textOf<AnomalySeverity>(),
  agentId: text,
  principalId: orNull(text),
  description: text,
  metadata: jsonb<Anomaly['metadata']>(),
  detectedAt: timestamp,
  acknowledgedAt: orNull(timestamp),
};

// An acknowledged finding does not open an anomaly again. This also holds for an acknowledgement that commits while
// this statement runs: the lock waits for it and then reads the current row, whereas the snapshot still shows it as
// open. `limit 1` and `offset 0` keep a look-up of its own for each finding: the planner expects a hundred findings, and
// would rather read the table from end to end. All statements lock and write rows in the same order, so replicas with the same findings wait for each other
// without a deadlock.
const open = query({
  operation: 'INSERT',
  collection: 'anomalies',
  name: 'anomalies.open',
  text: `with found as materialized (
      select * from jsonb_to_recordset($found::text::jsonb) as found (id text, "developerId" text, type text, severity text,
        "agentId" text, "principalId" text, description text, metadata jsonb, at timestamptz)),
    unseen as materialized (
      select known.id from found cross join lateral (
        select id from anomalies
        where developer_id = found."developerId" and type = found.type and agent_id = found."agentId"
          and coalesce(principal_id, '') = coalesce(found."principalId", '') and acknowledged_at is null limit 1) known),
    locked as materialized (
      select * from anomalies where id = any(array(select id from unseen)) order by id for update),
    stored as (
      insert into anomalies (id, developer_id, type, severity, agent_id, principal_id, description, metadata, detected_at,
        seen_at)
      select id, "developerId", type, severity, "agentId", "principalId", description, metadata, $now, $now from found
      where not exists (
        select from anomalies known
        where known.developer_id = found."developerId" and known.type = found.type and known.agent_id = found."agentId"
          and coalesce(known.principal_id, '') = coalesce(found."principalId", '') and known.acknowledged_at >= found.at
        offset 0)
      and not exists (
        select from locked
        where locked.developer_id = found."developerId" and locked.type = found.type
          and locked.agent_id = found."agentId"
          and coalesce(locked.principal_id, '') = coalesce(found."principalId", '') and locked.acknowledged_at >= found.at)
      order by "developerId", type, "agentId", "principalId"
      on conflict (developer_id, type, agent_id, coalesce(principal_id, '')) where acknowledged_at is null
      do update set description = excluded.description, metadata = excluded.metadata, seen_at = excluded.seen_at
      returning *)
    select ${COLUMNS}, id in (select id from found) as opened from stored order by detected_at desc, id desc`,
  params: { found: text, now: timestamp },
  row: { ...row, opened: bool },
});
const newest = (openOnly: boolean) => {
  const where = `developer_id = $developerId${openOnly ? ' and acknowledged_at is null' : ''}`;
  return {
    page: query({
      operation: 'SELECT',
      collection: 'anomalies',
      name: openOnly ? 'anomalies.newest_open' : 'anomalies.newest',
      text: `select ${COLUMNS} from anomalies where ${where} order by detected_at desc, id desc limit $limit`,
      params: { developerId: text, limit: bigint },
      row,
    }),
    count: query({
      operation: 'SELECT',
      collection: 'anomalies',
      name: openOnly ? 'anomalies.count_open' : 'anomalies.count',
      text: `select count(*)::int as total from anomalies where ${where}`,
      params: { developerId: text },
      row: { total: int },
    }),
  };
};
const newestOfAll = newest(false);
const newestOpen = newest(true);
const acknowledge = query({
  operation: 'UPDATE',
  collection: 'anomalies',
  name: 'anomalies.acknowledge',
  text: `update anomalies set acknowledged_at = coalesce(acknowledged_at, $now), notes = coalesce($notes, notes)
    where developer_id = $developerId and id = $id returning ${COLUMNS}`,
  params: { developerId: text, id: text, now: timestamp, notes: orNull(text) },
  row,
});

/**
 * Opens an anomaly for each finding, or updates the open one. However many calls run at once, each (developer, type,
 * agent, principal) has at most one open anomaly.
 * @returns the anomalies that were written, newest first; `opened`: this call opened it
 */
export const openAnomalies = (
  db: Queryable,
  found: readonly NewAnomaly[],
  now: Date,
): Promise<(Anomaly & { readonly opened: boolean })[]> => db.all(open, { found: JSON.stringify(found), now });

/** The newest `limit` anomalies of a developer, and their total number. */
export async function listAnomalies(
  db: Queryable,
  developerId: string,
  { openOnly, limit }: { openOnly: boolean; limit: number },
): Promise<{ anomalies: Anomaly[]; total: number }> {
  const { page, count } = openOnly ? newestOpen : newestOfAll;
  const [anomalies, { total }] = await Promise.all([
    db.all(page, { developerId, limit }),
    db.only(count, { developerId }),
  ]);
  return { anomalies, total };
}

/**
 * Acknowledges an anomaly. Only the first acknowledgement counts. @returns undefined when the developer has no such
 * anomaly
 */
export const acknowledgeAnomalyRow = (
  db: Queryable,
  acknowledgement: { developerId: string; id: string; now: Date; notes: string | null },
): Promise<Anomaly | undefined> => db.first(acknowledge, acknowledgement);
