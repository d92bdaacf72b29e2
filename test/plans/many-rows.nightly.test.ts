import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { allQueries, type Query } from '../../src/db/query.ts';
import { LIST_DEPTH } from '../../src/list-depth.ts';
// With these every module that declares a query is loaded.
import '../../src/service.ts';
import '../../src/reconciliation/store.ts';
import { FILL_SETTINGS, fill } from '../load/fill/fill.ts';
import { GROWING } from '../load/fill/rows.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { casesOf } from './cases.ts';
import { type Examples, readExamples } from './examples.ts';
import { reasonFor } from './exceptions.ts';
import { genericPlan, runAndExplain, scannedIn } from './read-plan.ts';
import { valuesFor } from './values.ts';

/** The grants of the database. A million takes two minutes to fill. */
const ROWS = Number(process.env['PLAN_ROWS'] ?? 1_000_000);
const FILLED_WITHIN_MS = 3_600_000;
const TABLES = GROWING.map(({ table }) => table);
/** Rows that a statement may read: what a list counts exactly, and some more for its joins. */
const MOST_READ = 1.2 * LIST_DEPTH;
/** The planner sorts some pages' worth of rows where that is cheaper than to follow an index. */
const MOST_SORTED = 1_000;

let database: TestDatabase;
let examples: Examples;
beforeAll(async () => {
  database = await createTestDatabase();
  const sql = postgres(database.url, { max: 2, connection: FILL_SETTINGS, onnotice: () => undefined });
  await fill(sql, ROWS).finally(() => sql.end({ timeout: 1 }));
  examples = await readExamples(database.sql);
}, FILLED_WITHIN_MS);
afterAll(() => database.drop());

const judged = allQueries().filter(({ name }) => reasonFor(name) === undefined);

test('most statements are judged, and the others have a reason', () => {
  expect(judged.length).toBeGreaterThan(70);
});

test('the check sees a scan, a sort and what was read', async () => {
  const text = 'select * from grants where audience is null order by principal_id';
  const { scanned, sorted, read } = await runAndExplain(database.sql, text, [], TABLES);
  expect({ scanned, sorted, read }).toEqual({ scanned: ['grants'], sorted: ROWS, read: ROWS });
});

describe.each(judged)('$name', (statement: Query<never, unknown>) => {
  test('reads and sorts no more than a list may, and no table from end to end', async () => {
    for (const [name, special] of Object.entries(casesOf(statement.name, examples))) {
      const values = valuesFor(statement, examples, special);
      const { scanned, sorted, read, plan } = await runAndExplain(
        database.sql,
        statement.text,
        values,
        TABLES,
      );
      expect(scanned, `${name}: ${plan}`).toEqual([]);
      expect(read, `${name}: ${plan}`).toBeLessThanOrEqual(MOST_READ);
      // A deep page may be cheaper to sort than to find by way of an index.
      expect(sorted, `${name}: ${plan}`).toBeLessThanOrEqual(name === 'deepest' ? MOST_READ : MOST_SORTED);
    }
  });

  test('nor would the plan that a prepared statement keeps', async () => {
    const plan = await genericPlan(database.sql, statement.text);
    expect(scannedIn(plan, TABLES), plan).toEqual([]);
  });
});
