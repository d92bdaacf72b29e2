import type postgres from 'postgres';

/** For each table: the number of rows, and a checksum of all rows in any order. */
export type Fingerprint = Readonly<Record<string, string>>;

/** The service's workers change these tables by themselves. Each query reads the part that only callers change. */
const BY_CALLERS: Readonly<Record<string, string>> = {
  webhook_deliveries: 'select id from webhook_deliveries',
  webhooks: "select to_jsonb(one) - 'attempted_at' as row from webhooks one",
  api_keys: "select to_jsonb(one) - 'last_used_at' as row from api_keys one",
  anomalies: 'select id, acknowledged_at, notes from anomalies where acknowledged_at is not null',
  anomaly_scan: 'select only_row from anomaly_scan',
  agent_series: 'select agent_id from agent_series where false',
  process_counts: 'select process from process_counts where false',
  removed_counts: 'select counted from removed_counts where false',
  // The numbers of gauges follow from the other tables, and are added up in the background.
  tallies: 'select name from tallies',
  tally_changes: 'select name from tally_changes where false',
  // What the triggers wrote is numbered in the background. Entries say the same before and after.
  revocation_outbox: 'select id from revocation_outbox where false',
  revocation_agents: 'select id from revocation_agents where false',
  revocation_entries: 'select seq from revocation_entries where false',
  feed_positions: 'select feed from feed_positions',
  event_outbox: 'select id from event_outbox where false',
  events: 'select seq from events where false',
  removed_events: 'select seq from removed_events where false',
  retention_turn: 'select only_row from retention_turn',
  retention_positions: 'select name from retention_positions where false',
  audit_heads: "select to_jsonb(one) - 'checkpoint_due' as row from audit_heads one",
  audit_checkpoints: 'select seq from audit_checkpoints where false',
  audit_checkpoint_keys: 'select kid from audit_checkpoint_keys where false',
  failed_exchanges: 'select agent_id from failed_exchanges where false',
};

/** A query for the rows of a table, without the parts that the service's workers change by themselves. */
export const rowsByCallers = (table: string): string => BY_CALLERS[table] ?? `select * from "${table}"`;

const statements = new WeakMap<postgres.Sql, Promise<string>>();

/** The state of the whole database, to compare with an earlier one. It is one statement, so tests may call it often. */
export async function fingerprint(sql: postgres.Sql): Promise<Fingerprint> {
  const statement = statements.get(sql) ?? describeTables(sql);
  statements.set(sql, statement);
  const rows = await sql.unsafe<{ name: string; state: string }[]>(await statement);
  return Object.fromEntries(rows.map(({ name, state }) => [name, state]));
}

async function describeTables(sql: postgres.Sql): Promise<string> {
  const tables = await sql<{ name: string }[]>`
    select table_name as name from information_schema.tables
    where table_schema = 'public' and table_type = 'BASE TABLE' order by 1`;
  return tables
    .map(
      ({ name }) =>
        `select '${name}' as name, count(*) || ' rows, ' ||
          coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) as state from (${rowsByCallers(name)}) t`,
    )
    .join(' union all ');
}
