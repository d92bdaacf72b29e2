import { afterAll, beforeAll, expect, test } from 'vitest';
import { callersOf, toIssued } from '../../src/tokens/issued-store.ts';
import { waitFor } from '../support/child.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  const { sql } = database;
  await sql`insert into developers (id, name, mode, api_key_hash, created_at)
    values ('dev_1', 'D', 'live', 'one', now()), ('dev_2', 'D', 'live', 'two', now())`;
  await sql`insert into agents (id, developer_id, name, description, scopes, status, created_at, updated_at)
    values ('ag_1', 'dev_1', 'A', '', '{}', 'active', now(), now()),
      ('ag_2', 'dev_2', 'A', '', '{}', 'suspended', now(), now())`;
});
afterAll(() => database.drop());

const lookUp = (questions: string) => `
  with presented (ordinal, "keyHash", "agentId") as (values ${questions}), ${callersOf('presented')}
  select ordinal, developer.id as developer, agent.id as agent, agent.developer_id as owner, agent.status
  from presented left join developer using (ordinal) left join agent using (ordinal) order by ordinal`;

test('each question is answered by itself: the developer of its key, and the agent if it is theirs', async () => {
  const rows = await database.sql.unsafe(
    lookUp(`(0, 'one'::bytea, 'ag_1'), (1, 'two', 'ag_2'), (2, 'one', 'ag_2'), (3, 'one', 'ag_0'),
      (4, 'none', 'ag_1'), (5, 'one', 'ag_1')`),
  );
  expect(rows.map(({ developer, agent, owner, status }) => [developer, agent, owner, status])).toEqual([
    ['dev_1', 'ag_1', 'dev_1', 'active'],
    ['dev_2', 'ag_2', 'dev_2', 'suspended'],
    ['dev_1', null, null, null],
    ['dev_1', null, null, null],
    [null, null, null, null],
    ['dev_1', 'ag_1', 'dev_1', 'active'],
  ]);
});

test('an agent that is being deleted is waited for', async () => {
  const { sql } = database;
  let answer: PromiseLike<readonly object[]> | undefined;
  await sql.begin(async (deleting) => {
    await deleting`select id from agents where id = 'ag_2' for update`;
    answer = sql.unsafe(lookUp(`(0, 'two'::bytea, 'ag_2')`)).execute();
    await waitFor(async () => {
      // Unlike pg_stat_activity, pg_locks is read anew each time within one transaction.
      const [row] = await deleting`select count(distinct pid)::int as waiting from pg_locks
        where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))`;
      return row?.['waiting'] === 1 || undefined;
    });
    await deleting`delete from agents where id = 'ag_2'`;
  });
  expect(await answer).toEqual([{ ordinal: 0, developer: 'dev_2', agent: null, owner: null, status: null }]);
});

const ROW = {
  developerId: 'dev_1',
  agentId: 'ag_1',
  grantId: 'grnt_1',
  principalId: 'user_1',
  audience: null,
  scopes: ['a'],
  expiresAt: new Date('2026-03-02T00:00:00Z'),
  grantExpiresAt: new Date('2026-04-01T00:00:00Z'),
  parentAgentIds: null,
  parentGrantId: null,
  delegationDepth: 0,
  enqueued: true,
};
const GRANT = {
  developerId: 'dev_1',
  agentId: 'ag_1',
  grantId: 'grnt_1',
  principalId: 'user_1',
  audience: null,
  scopes: ['a'],
  expiresAt: new Date('2026-03-02T00:00:00Z'),
  grantExpiresAt: new Date('2026-04-01T00:00:00Z'),
};

test('a row says what was found and what was given', () => {
  const known = { developerId: 'dev_1', agentId: 'ag_1', enqueued: true };
  expect(toIssued(ROW)).toEqual({ ...known, grant: GRANT });
  expect(
    toIssued({ ...ROW, parentAgentIds: ['ag_0', 'ag_9'], parentGrantId: 'grnt_0', delegationDepth: 2 }),
  ).toEqual({
    ...known,
    grant: { ...GRANT, parent: { agentIds: ['ag_0', 'ag_9'], grantId: 'grnt_0', depth: 2 } },
  });
  const refused = {
    ...ROW,
    grantId: null,
    principalId: null,
    scopes: null,
    expiresAt: null,
    grantExpiresAt: null,
  };
  expect(toIssued({ ...refused, enqueued: false })).toEqual({ ...known, enqueued: false, grant: null });
  expect(toIssued({ ...refused, agentId: null })).toEqual({ ...known, agentId: null, grant: null });
});
