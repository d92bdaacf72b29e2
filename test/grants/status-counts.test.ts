import { afterAll, beforeAll, expect, test } from 'vitest';
import { allQueries, valuesOf } from '../../src/db/query.ts';
import '../../src/grants/store.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

/** Of one developer: nearly all are alive. */
const ALIVE = 20_000;
const EXPIRED = 8;
const REVOKED = 3;
const DEPTH = 10_001;

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  const { sql } = database;
  await sql`insert into developers (id, name, mode, api_key_hash, created_at) values ('dev_1', 'D', 'live', 'k', now())`;
  await sql`insert into agents (id, developer_id, name, description, scopes, status, created_at, updated_at)
    values ('ag_1', 'dev_1', 'A', '', '{}', 'active', now(), now())`;
  await sql`insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at, revoked_at,
      root_grant_id, delegation_depth)
    select 'grnt_' || n, 'dev_1', 'ag_1', 'user_' || n % 10, '{a:b}',
      case when n <= ${REVOKED}::int then 'revoked' else 'active' end, now() - n * interval '1 second',
      now() + interval '1 hour' * case when n <= ${REVOKED + EXPIRED}::int then -1 else 1 end,
      case when n <= ${REVOKED}::int then now() end, 'grnt_' || n, 0
    from generate_series(1, ${ALIVE + EXPIRED + REVOKED}::int) n`;
  await sql.unsafe('vacuum analyze grants');
});
afterAll(() => database.drop());

interface Plan {
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Index Name'?: string;
  readonly 'Relation Name'?: string;
  readonly Plans?: readonly Plan[];
}
const nodesOf = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];

/** Runs the count as the service does, and says how many rows it looked at, and on which index. */
async function looked(name: string) {
  const query = [...allQueries()].find((one) => one.name === name);
  if (!query) throw new Error(`there is no ${name}`);
  const values = {
    developerId: 'dev_1',
    agentId: null,
    principalId: null,
    since: null,
    until: null,
    now: new Date(),
  };
  const [row] = await database.sql.unsafe(
    `explain (analyze, format json) ${query.text}`,
    valuesOf(query, values as never) as never[],
  );
  // A part for developers with a removal that is not worked off is planned too, and does not run.
  const nodes = nodesOf(row?.['QUERY PLAN'][0].Plan).filter((node) => node['Actual Loops'] > 0);
  return {
    rows: Math.max(...nodes.map((node) => node['Actual Rows'])),
    removed: nodes.reduce((sum, node) => sum + (node['Rows Removed by Filter'] ?? 0), 0),
    index: nodes.find((node) => node['Relation Name'] === 'grants')?.['Index Name'],
  };
}

test.each([
  ['revoked', REVOKED],
  ['expired', EXPIRED],
  ['active', DEPTH],
])(
  'the count of %s grants looks at those alone, and stops beyond the depth of lists',
  async (status, rows) => {
    const { index, ...seen } = await looked(`grants.count_0_${status}`);
    expect(seen.rows).toBe(rows);
    // Nearly all rows here are active, so the planner reads them from the table itself. One developer has all of them, so the index
    // of active grants by expiry leads to the expired ones as well as that by status.
    if (status === 'active') return;
    expect(seen.removed).toBe(0);
    expect(['grants_by_status', 'grants_active']).toContain(index);
  },
);

test('the check sees a count that looks at rows of other statuses', async () => {
  await database.sql`drop index grants_by_status`;
  try {
    expect((await looked('grants.count_0_revoked')).removed).toBeGreaterThan(0);
  } finally {
    await database.sql`create index grants_by_status on grants (developer_id, status, expires_at)`;
  }
});
