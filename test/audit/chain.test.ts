import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AuditStatus } from '../../src/audit/chain.ts';
import { firstBrokenEntry } from '../support/audit-chain.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';

let database: TestDatabase;
let services: TestService[];
beforeAll(async () => {
  database = await createTestDatabase();
  services = await Promise.all([startService({ database }), startService({ database })]);
});
afterAll(async () => {
  await Promise.all(services.map((service) => service.stop()));
  await database.drop();
});

const first = () => services[0] as TestService;

/** How many sessions wait for the head of a chain. */
async function writersThatWait(): Promise<number> {
  const [row] = await database.sql<
    { waiting: number }[]
  >`select count(*)::int as waiting from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and query like '%audit_heads%'`;
  return row?.waiting ?? 0;
}

/** The chain as the API tells it, oldest first. */
async function chainOf(key: string) {
  const entries = [];
  for (let page = 1; ; page++) {
    const { body } = await first().request('GET', `/v1/audit/entries?pageSize=100&page=${page}`, { key });
    entries.push(...body.entries);
    if (entries.length === body.total) return entries.reverse();
  }
}

test('64 writers on two replicas make one chain', async () => {
  const party = await newParty(first());
  const { grantId } = await party.grant();
  const answers = await Promise.all(
    Array.from({ length: 64 }, (_, n) =>
      services[n % 2]?.request('POST', '/v1/audit/log', {
        key: party.key,
        body: {
          agentId: party.agentId,
          grantId,
          action: `act.${n}`,
          metadata: { n, nested: { b: [1.5, 'ü'], a: null } },
        },
      }),
    ),
  );
  expect(answers.map((answer) => answer?.status)).toEqual(Array(64).fill(201));
  const chain = await chainOf(party.key);
  expect(chain).toHaveLength(64);
  expect(chain[0].prevHash).toBeNull();
  expect(firstBrokenEntry(chain)).toBeNull();
  expect(new Set(chain.map(({ action }) => action)).size).toBe(64);
});

test('a burst of one developer holds one connection of a replica, and takes few transactions', async () => {
  const party = await newParty(first());
  const { grantId } = await party.grant();
  const log = (n: number) =>
    first().request('POST', '/v1/audit/log', {
      key: party.key,
      body: { agentId: party.agentId, grantId, action: `act.${n}` },
    });
  await log(0);
  const answers = await database.sql.begin(async (tx) => {
    await tx`select hash from audit_heads where developer_id = ${party.developerId} for update`;
    const burst = Array.from({ length: 60 }, (_, n) => log(n + 1));
    await waitFor(async () => (await writersThatWait()) > 0 || undefined);
    expect(await writersThatWait()).toBe(1);
    return burst;
  });
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(Array(60).fill(201));
  expect(firstBrokenEntry(await chainOf(party.key))).toBeNull();
  const [stored] = await database.sql<{ transactions: number }[]>`
    select count(distinct xmin::text)::int as transactions from audit_entries where developer_id = ${party.developerId}`;
  expect(stored?.transactions).toBeLessThan(20);
});

test('an entry that the database refuses takes no other with it', async () => {
  const party = await newParty(first());
  const { grantId } = await party.grant();
  // Only the database knows this rule. A request that breaks a rule of ours never reaches it.
  await database.sql`alter table audit_entries add constraint not_this_one check (action <> 'refused by the database')`;
  const answers = await Promise.all(
    ['a', 'refused by the database', 'b', 'c'].map((action) =>
      first().request('POST', '/v1/audit/log', {
        key: party.key,
        body: { agentId: party.agentId, grantId, action },
      }),
    ),
  );
  await database.sql`alter table audit_entries drop constraint not_this_one`;
  expect(answers.map(({ status }) => status)).toEqual([201, 500, 201, 201]);
  const chain = await chainOf(party.key);
  expect(chain.map(({ action }) => action).sort()).toEqual(['a', 'b', 'c']);
  expect(firstBrokenEntry(chain)).toBeNull();
});

test('the hash is SHA-256 over canonical JSON of the eight members, computed here without our code', async () => {
  const party = await newParty(first());
  const { grantId } = await party.grant();
  const { body } = await first().request('POST', '/v1/audit/log', {
    key: party.key,
    body: { agentId: party.agentId, grantId, action: 'x', status: 'blocked', metadata: { z: 1, a: 'é' } },
  });
  const canonical =
    `{"action":"x","agentId":"${party.agentId}","entryId":"${body.entryId}","grantId":"${grantId}",` +
    `"metadata":{"a":"é","z":1},"prevHash":null,"status":"blocked","timestamp":"${body.timestamp}"}`;
  expect(body.hash).toBe(createHash('sha256').update(canonical).digest('hex'));
  expect(body).toMatchObject({
    agentDid: `did:grantex:${party.agentId}`,
    principalId: 'user_1',
    developerId: party.developerId,
  });
  expect((await first().request('GET', `/v1/audit/${body.entryId}`, { key: party.key })).body).toEqual(body);
});

test.each<[string, (ids: string[]) => [string, string[]]]>([
  [
    'altered',
    ([, second = '']) => ['update audit_entries set action = $1 where id = $2', ['forged', second]],
  ],
  ['removed', ([, second = '']) => ['delete from audit_entries where $1 <> id and id = $2', ['', second]]],
])('an entry that was %s is found', async (_how, tamper) => {
  const party = await newParty(first());
  const { grantId } = await party.grant();
  const ids: string[] = [];
  for (const action of ['a', 'b', 'c']) {
    const body = { agentId: party.agentId, grantId, action };
    ids.push((await first().request('POST', '/v1/audit/log', { key: party.key, body })).body.entryId);
  }
  await database.sql.unsafe(...tamper(ids));
  const broken = firstBrokenEntry(await chainOf(party.key));
  expect(ids.slice(1)).toContain(broken);
});

test('the table itself refuses a second successor of one entry', async () => {
  const party = await newParty(first());
  const { grantId } = await party.grant();
  const body = { agentId: party.agentId, grantId, action: 'a' };
  await first().request('POST', '/v1/audit/log', { key: party.key, body });
  const fork = database.sql`insert into audit_entries (id, developer_id, agent_id, agent_did, grant_id, principal_id, action,
      status, metadata, created_at, hash, prev_hash)
    select 'alog_fork', developer_id, agent_id, agent_did, grant_id, principal_id, action, status, metadata, created_at,
      'other', prev_hash from audit_entries where developer_id = ${party.developerId}`;
  await expect(fork).rejects.toMatchObject({ code: '23505' });
});

const STATUSES: AuditStatus[] = ['success', 'failure', 'blocked'];
test('filters, pages and refusals', async () => {
  const party = await newParty(first());
  const stranger = await newParty(first());
  const { grantId } = await party.grant();
  const log = (key: string, fields: object) =>
    first().request('POST', '/v1/audit/log', {
      key,
      body: { agentId: party.agentId, grantId, action: 'a', ...fields },
    });
  for (const status of STATUSES)
    expect((await log(party.key, { status, action: status })).body.status).toBe(status);
  const list = async (query: string) => {
    const { body } = await first().request('GET', `/v1/audit/entries?${query}`, { key: party.key });
    return [body.total, body.entries.map(({ action }: { action: string }) => action)];
  };
  expect(await list('')).toEqual([3, ['blocked', 'failure', 'success']]);
  expect(await list('action=failure')).toEqual([1, ['failure']]);
  expect(await list(`grantId=${grantId}&page=2&pageSize=2`)).toEqual([3, ['success']]);
  expect(await list('agentId=not%20an%20id')).toEqual([0, []]);
  expect(await list('since=2999-01-01T00:00:00Z')).toEqual([0, []]);
  expect(await list('until=2999-01-01T00:00:00Z')).toEqual([3, ['blocked', 'failure', 'success']]);
  expect((await first().request('GET', '/v1/audit/entries?since=soon', { key: party.key })).status).toBe(400);
  expect((await log(party.key, { status: 'maybe' })).status).toBe(400);
  expect((await log(stranger.key, {})).status).toBe(400);
  const { body } = await log(party.key, {});
  expect((await first().request('GET', `/v1/audit/${body.entryId}`, { key: stranger.key })).status).toBe(404);
  for (const method of ['PUT', 'DELETE'])
    expect((await first().request(method, `/v1/audit/${body.entryId}`, { key: party.key })).status).toBe(404);
});
