import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Columns } from '../../src/db/column-types.ts';
import { allQueries, type Query, query } from '../../src/db/query.ts';
// With these every module that declares a query is loaded.
import '../../src/service.ts';
import '../../src/reconciliation/store.ts';
import { int, orNull, text } from '../../src/db/column-types.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const queries = [...allQueries()];

let database: TestDatabase;
/** Names of types by their object ids. */
let typeNames: Map<number, string>;
/** Columns of tables that may hold null, as `table/number`. */
let nullableColumns: Set<string>;
beforeAll(async () => {
  database = await createTestDatabase();
  const types = await database.sql`select oid, format_type(oid, null) as name from pg_type`;
  typeNames = new Map(types.map(({ oid, name }) => [oid, name]));
  const columns = await database.sql`
    select attrelid, attnum from pg_attribute where not attnotnull and attnum > 0`;
  nullableColumns = new Set(columns.map(({ attrelid, attnum }) => `${attrelid}/${attnum}`));
});
afterAll(() => database.drop());

interface Described {
  readonly parameters: readonly string[];
  readonly columns: readonly { name: string; type: string; nullable: boolean }[];
}

/** What PostgreSQL says of a statement without running it. */
async function described({ text: statement }: Query<never, unknown>): Promise<Described> {
  const { types, columns } = await database.sql.unsafe(statement).describe();
  const nameOf = (oid: number) => typeNames.get(oid) ?? `unknown type ${oid}`;
  return {
    parameters: types.map(nameOf),
    columns: columns.map(({ name, type, table, number }) => ({
      name,
      type: nameOf(type),
      nullable: nullableColumns.has(`${table}/${number}`),
    })),
  };
}

const declared = (columns: Columns) =>
  Object.entries(columns).map(([name, { sqlType }]) => ({ name, type: sqlType }));
const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);

test('the statements of the service are here, each under a name of its own', () => {
  expect(queries.length).toBeGreaterThan(70);
  const names = queries.map(({ name }) => name);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});

describe.each(queries)('$name', (one) => {
  test('has the parameters and the columns that the migrated schema gives it', async () => {
    const { parameters, columns } = await described(one);
    expect(one.parameters.map(([, type]) => type.sqlType)).toEqual(parameters);
    expect(declared(one.columns).sort(byName)).toEqual(
      columns.map(({ name, type }) => ({ name, type })).sort(byName),
    );
    const unexpectedNulls = columns.filter(({ name, nullable }) => nullable && !one.columns[name]?.nullable);
    expect(unexpectedNulls).toEqual([]);
  });
});

test('a query whose declaration is wrong would be noticed', async () => {
  const wrong = query({
    operation: 'SELECT',
    name: 'test.wrong',
    text: 'select id, email from developers where id = $id',
    params: { id: int },
    row: { id: int, email: text },
  });
  expect(await described(wrong)).toEqual({
    parameters: ['text'],
    columns: [
      { name: 'id', type: 'text', nullable: false },
      { name: 'email', type: 'text', nullable: true },
    ],
  });
});

test('text and parameters must name the same', () => {
  const declare = (params: Columns) => () =>
    query({
      operation: 'SELECT',
      name: 'test.params',
      text: 'select $a::text, $b::text, $a::text',
      params,
      row: {},
    });
  expect(declare({ a: text })).toThrow('test.params: text and params differ in b');
  expect(declare({ a: text, b: text, c: text })).toThrow('test.params: text and params differ in c');
  expect(declare({ b: orNull(text), a: text })()).toMatchObject({
    text: 'select $1::text, $2::text, $1::text',
  });
});
