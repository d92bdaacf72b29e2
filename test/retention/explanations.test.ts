import { afterAll, beforeAll, expect, test } from 'vitest';
import { readLeft } from '../../src/reconciliation/ended-store.ts';
import { readLedger } from '../../src/reconciliation/store.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { queryableOf } from '../support/reconcile.ts';
import { openRemover } from './remover.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const ledger = () => readLedger(queryableOf(database), { fullCount: true });
/** More than one statement takes. */
const MANY = 600;

test('what explains nothing any more goes by age: its numbers stay, and what is recent stays as it is', async () => {
  const { sql } = database;
  await sql`insert into removed_grants (agent_id, developer_id, removed_at, consented, delegated, revoked, requested, refreshed)
    select 'ag_' || n, 'dev_a', now() - case when n <= ${MANY} then interval '91 days' else interval '89 days' end, 2, 1, 3, 4, 5
    from generate_series(1, ${MANY + 2}::int) n`;
  await sql`insert into process_counts (process, started_at, ended_at, family, labels, total)
    select 'p' || n, 1.5, now() - case when n <= ${MANY} then interval '91 days' else interval '89 days' end,
      'grantex_authorize_total', '[["status","success"]]', 2 from generate_series(1, ${MANY + 2}::int) n`;
  await sql`insert into removed_counts (counted, minute, total)
    select 'delivered', date_trunc('minute', now()) - make_interval(days => 91 - n * 2), 1 from generate_series(0, 1) n`;
  const [before, left] = [await ledger(), await readLeft(queryableOf(database))];
  expect(before).toMatchObject({ requested: 4 * (MANY + 2), revoked: 3 * (MANY + 2) });
  expect(left.counts).toMatchObject([{ total: 2 * (MANY + 2) }]);

  const remover = await openRemover(database);
  await remover.run();
  // The sums of what had gone before grow.
  await sql`update process_counts set ended_at = now() - interval '91 days' where process = ${`p${MANY + 1}`}`;
  await remover.run();
  await remover.close();

  expect(await ledger()).toEqual(before);
  const { counts, processes } = await readLeft(queryableOf(database));
  expect([counts, processes]).toEqual([left.counts, [{ id: `p${MANY + 2}`, startedAt: 1.5 }]]);
  const [rows] = await sql`select (select count(*) from removed_grants)::int as grants,
    (select count(*) from process_counts)::int as processes, (select count(*) from removed_counts)::int as minutes`;
  expect({ ...rows }).toEqual({ grants: 2, processes: 2, minutes: 1 });
});

test('a finished removal goes by age, an open one does not', async () => {
  const { sql } = database;
  await sql`insert into developers (id, name, mode, api_key_hash, created_at) values ('dev_a', 'A', 'live', '\\x00', now())`;
  await sql`insert into removals (developer_id, revoked_by, removed_at, finished_at)
    select 'dev_a', 'developer', now() - interval '1 year', finished_at from unnest(array[
      now() - interval '91 days', now() - interval '89 days', null]) finished_at`;
  const remover = await openRemover(database);
  await remover.run();
  await remover.close();
  const left = await sql`select finished_at is null as open from removals order by 1`;
  expect(left.map(({ open }) => open)).toEqual([false, true]);
});
