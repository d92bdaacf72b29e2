import type postgres from 'postgres';
import { countedNumbers, keptNumbers } from '../../src/tallies/store.ts';

/** The numbers that the service keeps, and the same by a count of every row, as of one moment: one statement reads both. */
export async function keptAndCounted(
  sql: postgres.Sql,
  now = Date.now(),
): Promise<{ kept: Record<string, number>; counted: Record<string, number> }> {
  const at = `timestamptz '${new Date(now).toISOString()}'`;
  const objectOf = (numbers: Record<string, string>) =>
    `json_build_object(${Object.entries(numbers).map(([name, number]) => `'${name}', ${number}`)})`;
  const [row] = await sql.unsafe<[{ kept: Record<string, number>; counted: Record<string, number> }]>(
    `select ${objectOf(keptNumbers(at))} as kept, ${objectOf(countedNumbers(at))} as counted`,
  );
  return row;
}
