import type postgres from 'postgres';

/** Makes everything in the tables older by so many hours, as if that time had passed. */
export async function age(sql: postgres.Sql, hours: number): Promise<void> {
  const columns = await sql<{ table: string; column: string }[]>`
    select table_name as "table", column_name as "column" from information_schema.columns
    where table_schema = 'public' and data_type = 'timestamp with time zone'
      and table_name not in ('schema_migrations', 'retention_turn', 'anomaly_scan', 'signing_keys')`;
  const byTable = Map.groupBy(columns, ({ table }) => table);
  for (const [table, of] of byTable) {
    const moved = of.map(({ column }) => `${column} = ${column} - interval '${hours} hours'`);
    await sql.unsafe(`update ${table} set ${moved.join(', ')}`);
  }
}
