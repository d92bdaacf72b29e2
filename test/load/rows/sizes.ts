import type postgres from 'postgres';
import { type Row, round } from '../table.ts';

const HUNDRED_MILLION = 1e8;

/**
 * The tables of a database with `grants` grants: rows and bytes as measured, and what they would be for a hundred million
 * grants, of which each table has its share. Tables of less than a thousandth of all bytes are left out.
 */
export async function sizesOf(sql: postgres.Sql, grants: number): Promise<Row[]> {
  await sql`analyze`;
  const tables = await sql<{ name: string; rows: number; heap: number; indexes: number }[]>`
    select relname as name, greatest(reltuples, 0)::float8 as rows, pg_table_size(oid)::float8 as heap,
      pg_indexes_size(oid)::float8 as indexes
    from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace
    order by pg_total_relation_size(oid) desc`;
  const all = {
    name: 'all',
    rows: tables.reduce((sum, { rows }) => sum + rows, 0),
    heap: tables.reduce((sum, { heap }) => sum + heap, 0),
    indexes: tables.reduce((sum, { indexes }) => sum + indexes, 0),
  };
  return [...tables, all]
    .filter(({ heap, indexes }) => heap + indexes > (all.heap + all.indexes) / 1000)
    .map(({ name, rows, heap, indexes }) => ({
      table: name,
      rows: Math.round(rows),
      'bytes per row': round(heap / rows),
      'of indexes': round(indexes / rows),
      MiB: Math.round((heap + indexes) / 2 ** 20),
      'GiB for 100,000,000 grants': round(((heap + indexes) / grants) * (HUNDRED_MILLION / 2 ** 30)),
    }));
}
