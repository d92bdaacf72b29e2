import { describe, expect, test } from 'vitest';
import type { DetectionScope } from '../../src/anomalies/rules-store.ts';
import { database, found, grantAt, HOUR, MINUTE, NOW, requestAt, who, withTwoAgents } from './history.ts';

withTwoAgents();

describe('new_principal', () => {
  test('the first grant for a principal, and no later one', async () => {
    const id = await grantAt(NOW - 10 * MINUTE, { principal: 'user_9' });
    await grantAt(NOW - 5 * MINUTE, { principal: 'user_9' });
    expect(await found('new_principal')).toEqual([
      {
        ...who,
        type: 'new_principal',
        principalId: 'user_9',
        at: new Date(NOW - 10 * MINUTE),
        metadata: { grantId: id },
      },
    ]);
  });

  test('a principal that was served before is not new; one that another agent served is', async () => {
    await grantAt(NOW - 500 * HOUR, { principal: 'user_9' });
    await grantAt(NOW - MINUTE, { principal: 'user_9' });
    expect(await found('new_principal')).toEqual([]);
    await grantAt(NOW - MINUTE, { principal: 'user_9', agent: 'ag_2' });
    expect(await found('new_principal')).toMatchObject([{ agentId: 'ag_2', developerId: 'dev_2' }]);
  });

  test('a fact from before the time that is looked at is left alone', async () => {
    await grantAt(NOW - HOUR, { principal: 'user_9' });
    expect(await found('new_principal')).toEqual([]);
  });
});

describe('unusual_scope_access', () => {
  test('a scope that the agent never had, once it has a history', async () => {
    await requestAt(NOW - MINUTE, ['a', 'b', 'c']);
    expect(await found('unusual_scope_access')).toEqual([]);
    await grantAt(NOW - 100 * HOUR, { scopes: ['a'] });
    expect(await found('unusual_scope_access')).toEqual([
      {
        ...who,
        type: 'unusual_scope_access',
        principalId: 'user_1',
        at: new Date(NOW - MINUTE),
        metadata: { count: 2, scopes: ['b', 'c'] },
      },
    ]);
  });

  test('a scope that was had before is usual, however long ago and however many grants since', async () => {
    await grantAt(NOW - 900 * HOUR, { scopes: ['b'] });
    await database.sql`insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at,
        root_grant_id, delegation_depth)
      select 'grnt_many_' || n, 'dev_1', 'ag_1', 'user_1', '{a}', 'active', ${new Date(NOW - 5 * HOUR)}::timestamptz, now(),
        'grnt_many_' || n, 0 from generate_series(1, 1500) n`;
    await requestAt(NOW - MINUTE, ['a', 'b']);
    expect(await found('unusual_scope_access')).toEqual([]);
  });

  test('of many scopes twenty are told, and of many requests the newest are looked at', async () => {
    await grantAt(NOW - 100 * HOUR, { scopes: ['a'] });
    const scopes = Array.from({ length: 30 }, (_, n) => `s${String(n).padStart(2, '0')}`);
    await requestAt(NOW - 2 * MINUTE, scopes);
    expect(await found('unusual_scope_access')).toMatchObject([
      { metadata: { count: 30, scopes: scopes.slice(0, 20) } },
    ]);
    await database.sql`insert into authorization_requests (id, developer_id, agent_id, principal_id, scopes, grant_seconds,
        status, created_at, expires_at)
      select 'areq_many_' || n, 'dev_1', 'ag_1', 'user_1', '{a}', 60, 'pending', ${new Date(NOW - MINUTE)}::timestamptz, now()
      from generate_series(1, 1000) n`;
    expect(await found('unusual_scope_access')).toEqual([]);
  });

  test('being granted what was asked for makes it usual from then on, not before', async () => {
    await grantAt(NOW - 100 * HOUR, { scopes: ['a'] });
    await requestAt(NOW - 5 * MINUTE, ['b']);
    await grantAt(NOW - 4 * MINUTE, { scopes: ['b'] });
    await requestAt(NOW - 3 * MINUTE, ['b']);
    expect(await found('unusual_scope_access')).toMatchObject([{ at: new Date(NOW - 5 * MINUTE) }]);
  });
});

describe('cascade_delegation', () => {
  test.each([
    { depth: 1, maxDelegationDepth: 3, near: false },
    { depth: 2, maxDelegationDepth: 3, near: true },
    { depth: 3, maxDelegationDepth: 3, near: true },
    { depth: 2, maxDelegationDepth: 10, near: false },
    { depth: 0, maxDelegationDepth: 1, near: false },
    { depth: 1, maxDelegationDepth: 1, near: true },
  ])('$depth levels deep where $maxDelegationDepth are allowed: $near', async (row) => {
    const id = await grantAt(NOW - MINUTE, { depth: row.depth });
    const { maxDelegationDepth } = row;
    expect(await found('cascade_delegation', { config: { maxDelegationDepth } })).toEqual(
      row.near
        ? [
            {
              ...who,
              type: 'cascade_delegation',
              principalId: 'user_1',
              at: new Date(NOW - MINUTE),
              metadata: { depth: row.depth, maxDepth: maxDelegationDepth, grantId: id },
            },
          ]
        : [],
    );
  });
});

test('a developer with a thousand findings crowds nobody else out', async () => {
  await grantAt(NOW - 30 * MINUTE, { agent: 'ag_2', principal: 'user_9' });
  await database.sql`insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at,
      root_grant_id, delegation_depth)
    select 'grnt_crowd_' || n, 'dev_1', 'ag_1', 'user_' || n, '{a}', 'active', ${new Date(NOW - MINUTE)}::timestamptz, now(),
      'grnt_crowd_' || n, 0 from generate_series(1, 1100) n`;
  const byDeveloper = Map.groupBy(await found('new_principal'), ({ developerId }) => developerId);
  expect([byDeveloper.get('dev_1')?.length, byDeveloper.get('dev_2')?.length]).toEqual([1000, 1]);
});

test('only what was asked about is looked at', async () => {
  for (const agent of ['ag_1', 'ag_2']) await grantAt(NOW - MINUTE, { agent, principal: 'user_9' });
  const agentsOf = async (scope: DetectionScope) =>
    (await found('new_principal', { scope })).map(({ agentId }) => agentId).sort();
  expect(await agentsOf(null)).toEqual(['ag_1', 'ag_2']);
  expect(await agentsOf({ agents: ['ag_1', 'ag_unknown'] })).toEqual(['ag_1']);
  expect(await agentsOf({ developers: ['dev_2'] })).toEqual(['ag_2']);
  expect(await agentsOf({ developers: [] })).toEqual([]);
});
