// State of the anomaly watch itself: refused exchanges, which leave no other row, and the turn to scan all agents.
import { bool, int, text, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';

const tallyRefused = query({
  operation: 'INSERT',
  collection: 'failed_exchanges',
  name: 'anomalies.tally_failed_exchanges',
  text: `insert into failed_exchanges (agent_id, minute, total, last_at)
    select "agentId", date_trunc('minute', at), total, at
    from jsonb_to_recordset($refused::text::jsonb) as refused ("agentId" text, total int, at timestamptz) order by "agentId"
    on conflict (agent_id, minute) do update set total = failed_exchanges.total + excluded.total,
      last_at = greatest(failed_exchanges.last_at, excluded.last_at)`,
  params: { refused: text },
  row: {},
});
const forgetRefused = query({
  operation: 'DELETE',
  collection: 'failed_exchanges',
  name: 'anomalies.forget_failed_exchanges',
  text: 'delete from failed_exchanges where minute < $before',
  params: { before: timestamp },
  row: {},
});
// The database's clock decides, because the clocks of replicas may differ.
const claimScan = query({
  operation: 'UPDATE',
  collection: 'anomaly_scan',
  name: 'anomalies.claim_scan',
  text: `update anomaly_scan set begun_at = now() where begun_at <= now() - make_interval(secs => $seconds::int)
    returning only_row`,
  params: { seconds: int },
  row: { only_row: bool },
});

/** Adds to the counts of refused exchanges; `at` is the time of the newest refusal of each agent. */
export async function tallyFailedExchanges(
  db: Queryable,
  refused: readonly { agentId: string; total: number; at: Date }[],
): Promise<void> {
  if (refused.length > 0) await db.all(tallyRefused, { refused: JSON.stringify(refused) });
}

/** Removes refused exchanges from before a time. */
export async function forgetFailedExchanges(db: Queryable, before: Date): Promise<void> {
  await db.all(forgetRefused, { before });
}

/** Takes the turn to scan all agents. @returns false when a replica took the turn within the last `seconds` */
export async function claimAnomalyScan(db: Queryable, seconds: number): Promise<boolean> {
  return (await db.first(claimScan, { seconds })) !== undefined;
}
