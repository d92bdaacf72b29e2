import type postgres from 'postgres';
import { FEWEST_ROWS, GROWING, numberedGrants, OWNERS } from './rows.ts';
import { functionsFor } from './shape.ts';
import { withoutIndexes } from './without-indexes.ts';

const MANY_ROWS = 100_000;

/** Settings of the connections that fill. Nothing of it has to survive a crash, and indexes are sorted in memory. */
export const FILL_SETTINGS = { synchronous_commit: 'off', maintenance_work_mem: '512MB', work_mem: '64MB' };

/**
 * Fills a migrated database with `rows` grants, and with their tokens, refresh tokens, authorization requests, audit
 * entries, deliveries and anomalies, of a thousand developers of very unequal size (`shape.ts`). The server makes the
 * rows itself, which is quicker than a client that sends them.
 * @param sql with `FILL_SETTINGS`; its connections work side by side
 * @throws for fewer rows than `FEWEST_ROWS`
 */
export async function fill(sql: postgres.Sql, rows: number): Promise<void> {
  if (!(rows >= FEWEST_ROWS)) throw new Error(`there must be at least ${FEWEST_ROWS} rows`);
  await sql.unsafe(functionsFor(rows, Date.now())).simple();
  await sql.unsafe(numberedGrants(rows));
  for (const { text } of OWNERS) await sql.unsafe(text(rows));
  const tables = GROWING.map(({ table }) => table);
  await withoutIndexes(sql, tables, async () => {
    await Promise.all(GROWING.map(({ text }) => sql.unsafe(text(rows))));
  });
  await sql`drop schema fill cascade`;
  await sql`vacuum (freeze, analyze)`;
  // The writes of a large database would go on during what follows.
  if (rows >= MANY_ROWS) await sql`checkpoint`;
}
