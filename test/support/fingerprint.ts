import type postgres from 'postgres';

/** Per table: how many rows, and a checksum of them all in whatever order. */
export type Fingerprint = Readonly<Record<string, string>>;

/** Of tables that the service's workers change by themselves, what only a caller changes. */
const BY_CALLERS: Readonly<Record<string, string>> = {
  webhook_deliveries: 'select id from webhook_deliveries',
  anomalies: 'select id, acknowledged_at, notes from anomalies where acknowledged_at is not null',
  anomaly_scan: 'select only_row from anomaly_scan',
  failed_exchanges: 'select agent_id from failed_exchanges where false',
};

/** A query for the rows of a table, without what the service's workers change by themselves. */
export const rowsByCallers = (table: string): string => BY_CALLERS[table] ?? `select * from "${table}"`;

const statements = new WeakMap<postgres.Sql, Promise<string>>();

/** The state of the whole database, to be compared with an earlier one. One statement, so that it may be taken often. */
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
