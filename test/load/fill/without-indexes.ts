import type postgres from 'postgres';

interface Definition {
  readonly table: string;
  readonly name: string;
  readonly definition: string;
}

/** Primary keys before unique constraints, and both before what refers to them. */
const ORDER = ['p', 'u', 'f'];

/**
 * Runs `work` while these tables have no index, no key and no reference, and then makes them again. Many rows are
 * written several times as fast that way.
 */
export async function withoutIndexes(
  sql: postgres.Sql,
  tables: readonly string[],
  work: () => Promise<void>,
): Promise<void> {
  const constraints = await sql<(Definition & { type: string })[]>`
    select conrelid::regclass::text as table, conname as name, contype as type, pg_get_constraintdef(oid) as definition
    from pg_constraint where contype in ('p', 'u', 'f') and connamespace = 'public'::regnamespace
      and (conrelid::regclass::text = any(${tables}) or confrelid::regclass::text = any(${tables}))`;
  const indexes = await sql<Definition[]>`
    select indrelid::regclass::text as table, indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition
    from pg_index where indrelid::regclass::text = any(${tables})
      and not exists (select from pg_constraint where conindid = indexrelid and contype in ('p', 'u'))`;
  constraints.sort((a, b) => ORDER.indexOf(a.type) - ORDER.indexOf(b.type));
  for (const { table, name } of constraints.toReversed())
    await sql`alter table ${sql(table)} drop constraint ${sql(name)}`;
  for (const { name } of indexes) await sql`drop index ${sql(name)}`;
  await work();
  const add = ({ table, name, definition }: Definition) =>
    sql.unsafe(`alter table ${table} add constraint "${name}" ${definition}`);
  const keys = constraints.filter(({ type }) => type !== 'f');
  await Promise.all(
    tables.map(async (table) => {
      for (const key of keys.filter((one) => one.table === table)) await add(key);
      for (const { definition } of indexes.filter((one) => one.table === table)) await sql.unsafe(definition);
    }),
  );
  for (const reference of constraints.filter(({ type }) => type === 'f')) await add(reference);
}
