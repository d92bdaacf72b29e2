import type { Sql } from 'postgres';
import { waitFor } from '../support/service.ts';

/** Stops end after ten seconds; here they are told that these have passed. */
export async function worked(sql: Sql): Promise<void> {
  await sql`update removals set removed_at = removed_at - interval '1 minute', worked_at = '-infinity'
    where finished_at is null`;
  await waitFor(async () => {
    const [row] = await sql`select count(*)::int as open from removals where finished_at is null`;
    return row?.['open'] === 0 || undefined;
  });
}

/** Living grants like this one, without a request for each. */
export const copies = (sql: Sql, grantId: string, count: number) => sql`
  insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at, root_grant_id, delegation_depth)
  select id || '_' || n, developer_id, agent_id, principal_id, scopes, 'active', issued_at - n * interval '1 ms', expires_at,
    id || '_' || n, 0 from grants, generate_series(1, ${count}::int) n where id = ${grantId}`;

/** The job cannot find a grant while this holds the table. */
export async function whileJobWaits<T>(sql: Sql, work: () => Promise<T>): Promise<T> {
  const held = await sql.reserve();
  try {
    await held`begin`;
    await held`lock table removal_grants in exclusive mode`;
    return await work();
  } finally {
    await held`rollback`;
    held.release();
  }
}
