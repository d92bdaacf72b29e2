import type { Statement } from '../telemetry/database.ts';
import type { Queryable } from './client.ts';

/** The answer of a statement of one row with one column, `total`. */
export async function countOf(
  db: Queryable,
  statement: Statement,
  values: readonly unknown[],
): Promise<number> {
  const [row] = await db.rows<{ total: number }>(statement, values);
  return row?.total ?? 0;
}
