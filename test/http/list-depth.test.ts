import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';

let service: TestService;
let party: Party;
beforeAll(async () => {
  service = await startService();
  party = await newParty(service);
});
afterAll(() => service.stop());

const get = (path: string) => service.request('GET', path, { key: party.key });

test.each([
  ['/v1/agents', ''],
  ['/v1/grants', '. These narrow it: agentId, principalId, status, since, until'],
  ['/v1/audit/entries', '. These narrow it: agentId, grantId, principalId, action, since, until'],
  ['/v1/webhooks/wh_x/deliveries', '. These narrow it: status'],
])('%s has no page that begins beyond the 10,000th object', async (path, advice) => {
  const beyond = await get(`${path}?page=101&pageSize=100`);
  expect([beyond.status, beyond.body.message]).toEqual([
    400,
    `Only the first 10000 objects of a list have pages${advice}`,
  ]);
  // A page size over 100 is cut to 100, so this page begins at the 9,901st object.
  expect((await get(`${path}?page=100&pageSize=500`)).status).not.toBe(400);
});

test('nor has what a principal sees of its audit log', async () => {
  const { body } = await service.request('POST', '/v1/principal-sessions', {
    key: party.key,
    body: { principalId: 'user_1' },
  });
  const statusOf = async (page: number) =>
    (
      await service.request('GET', `/v1/principal/audit?page=${page}&pageSize=100`, {
        key: body.sessionToken,
      })
    ).status;
  expect([await statusOf(100), await statusOf(101)]).toEqual([200, 400]);
});

test('total is exact up to 10,000, and is marked beyond', async () => {
  const { sql } = service.database;
  const fill = (count: number) => sql`
    insert into agents (id, developer_id, name, description, scopes, status, created_at, updated_at)
    select 'ag_filled_' || n, ${party.developerId}, 'One of many', '', '{}', 'active', now(), now()
    from generate_series(1, ${count}::int) as n on conflict do nothing`;
  await fill(9_999);
  const { agents, ...exact } = (await get('/v1/agents?page=100')).body;
  expect([agents.length, exact]).toEqual([100, { total: 10_000, page: 100, pageSize: 100 }]);
  await fill(10_000);
  const { agents: some, ...marked } = (await get('/v1/agents?pageSize=1')).body;
  expect([some.length, marked]).toEqual([1, { total: 10_000, totalIsEstimate: true, page: 1, pageSize: 1 }]);
});

test('grants can be listed by the time of their issue, its bounds included', async () => {
  const grants = [];
  for (let n = 0; n < 3; n++) {
    const { grantToken } = await party.grant();
    const { body } = await service.request('POST', '/v1/tokens/verify', {
      key: party.key,
      body: { token: grantToken },
    });
    grants.unshift(body.grantId as string);
  }
  const { sql } = service.database;
  for (const [n, id] of grants.entries())
    await sql`update grants set issued_at = ${new Date(Date.UTC(2026, 0, 3 - n))} where id = ${id}`;
  const listed = async (query: string) => {
    const { status, body } = await get(`/v1/grants?${query}`);
    return [status, body.total, body.grants?.map(({ grantId }: { grantId: string }) => grantId)];
  };
  const [third, second, first] = grants;
  expect(await listed('')).toEqual([200, 3, [third, second, first]]);
  expect(await listed('since=2026-01-02')).toEqual([200, 2, [third, second]]);
  expect(await listed('until=2026-01-02T00:00:00Z')).toEqual([200, 2, [second, first]]);
  expect(await listed('since=2026-01-02&until=2026-01-02')).toEqual([200, 1, [second]]);
  expect((await get('/v1/grants?since=yesterday')).body).toMatchObject({
    code: 'BAD_REQUEST',
    message: 'since must be an ISO 8601 time',
  });
});
