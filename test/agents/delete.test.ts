import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';

let service: TestService;
let party: Party;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());
beforeEach(async () => {
  party = await newParty(service);
});

const remove = (agentId: string, key = party.key) =>
  service.request('DELETE', `/v1/agents/${agentId}`, { key });
/** The log lines about these grants, once there are `count`. */
const revocations = (ids: readonly string[], count: number) =>
  waitFor(() => {
    const lines = service.logs.filter(
      ({ msg, grantId }) => msg === 'grant.revoked' && ids.includes(String(grantId)),
    );
    return lines.length >= count ? lines : undefined;
  });
/** Rows in each table that speaks of an agent or of one of its grants. */
const rowsOf = async (agentId: string, grantIds: string[]) => {
  const [row] = await service.database.sql`select
    (select count(*)::int from agents where id = ${agentId}) as agents,
    (select count(*)::int from authorization_requests where agent_id = ${agentId}) as requests,
    (select count(*)::int from grants where id = any(${grantIds})) as grants,
    (select count(*)::int from tokens where grant_id = any(${grantIds})) as tokens,
    (select count(*)::int from refresh_tokens where grant_id = any(${grantIds})) as "refreshTokens"`;
  return row;
};
const NOTHING = { agents: 0, requests: 0, grants: 0, tokens: 0, refreshTokens: 0 };

test('204: the agent, its requests, grants and tokens are gone; a neighbour’s are not', async () => {
  const doomed = party.agentId;
  const neighbour = await party.newAgent();
  const one = await party.grant();
  const two = await party.grant({ principalId: 'user_2' });
  const kept = await party.grant({ agentId: neighbour });
  const { authRequestId } = await party.authorize();
  const code = await party.consent();
  const ids = [one.grantId, two.grantId];
  expect(await rowsOf(doomed, ids)).toEqual({
    agents: 1,
    requests: 4,
    grants: 2,
    tokens: 2,
    refreshTokens: 2,
  });

  const { status, body } = await remove(doomed);
  expect([status, body]).toEqual([204, '']);
  expect(await rowsOf(doomed, ids)).toEqual(NOTHING);

  const { key } = party;
  expect((await service.request('GET', `/v1/agents/${doomed}`, { key })).status).toBe(404);
  expect((await service.request('GET', `/v1/grants?agentId=${doomed}`, { key })).body.total).toBe(0);
  expect((await service.request('POST', `/v1/consent/${authRequestId}/approve`)).status).toBe(404);
  const exchange = await service.request('POST', '/v1/token', { key, body: { code, agentId: doomed } });
  const refresh = await service.request('POST', '/v1/token/refresh', {
    key,
    body: { refreshToken: one.refreshToken, agentId: doomed },
  });
  expect([exchange.status, refresh.status]).toEqual([400, 400]);
  expect([await party.verify(one.grantToken), await party.verify(two.grantToken)]).toEqual([false, false]);
  expect(await party.verify(kept.grantToken)).toBe(true);
  expect((await remove(doomed)).status).toBe(404);
});

test('what it delegated dies with it, what was delegated to it leaves the parent alive; one line for each tree', async () => {
  const [upper, lower] = [await party.newAgent(), await party.newAgent()];
  const doomed = party.agentId;
  const parent = await party.grant({ agentId: upper });
  const middle = await party.delegate(parent.grantToken, { subAgentId: doomed });
  const below = await party.delegate(middle.grantToken, { subAgentId: lower });
  const own = await party.grant();
  const already = await party.grant();
  await service.request('DELETE', `/v1/grants/${already.grantId}`, { key: party.key });
  const before = await service.scrape();

  expect((await remove(doomed)).status).toBe(204);
  expect(await party.verify(parent.grantToken)).toBe(true);
  const { body: left } = await service.request('GET', `/v1/grants/${below.grantId}`, { key: party.key });
  expect([left.status, left.revokedAt]).toEqual(['revoked', expect.any(String)]);
  expect(await rowsOf(doomed, [middle.grantId, own.grantId, already.grantId])).toEqual(NOTHING);

  const lines = await revocations(
    [parent, middle, below, own].map((pair) => pair.grantId),
    2,
  );
  const told = lines.map(({ grantId, revokedBy, cascadeCount }) => [grantId, revokedBy, cascadeCount]);
  expect(new Map(told.map((line) => [line[0], line]))).toEqual(
    new Map([
      [middle.grantId, [middle.grantId, 'agent_deleted', 1]],
      [own.grantId, [own.grantId, 'agent_deleted', 0]],
    ]),
  );

  const after = await service.scrape();
  const grown = (name: string, labels = {}) =>
    (after.value(name, labels) ?? 0) - (before.value(name, labels) ?? 0);
  expect(grown('grantex_grants_revoked_total')).toBe(3);
  expect(grown('grantex_agent_grants_revoked_total', { agent_id: doomed })).toBe(2);
  expect(grown('grantex_agent_grants_revoked_total', { agent_id: lower })).toBe(1);
  const [tally] = await service.database.sql`select consented::int, delegated::int, revoked::int
    from removed_grants where agent_id = ${doomed}`;
  expect(tally).toEqual({ consented: 2, delegated: 1, revoked: 3 });
});

test('an agent without grants, and a suspended one, go without a revocation', async () => {
  const { grantId } = await party.grant();
  await service.database.sql`update grants set status = 'revoked', revoked_at = now() where id = ${grantId}`;
  const bare = await party.newAgent();
  await service.request('PATCH', `/v1/agents/${bare}`, { key: party.key, body: { status: 'suspended' } });
  const value = async () => (await service.scrape()).value('grantex_grants_revoked_total');
  const before = await value();
  expect([(await remove(party.agentId)).status, (await remove(bare)).status]).toEqual([204, 204]);
  expect(await value()).toBe(before);
});

test('audit entries of a removed agent stay', async () => {
  const { agentId, key } = party;
  const { grantId } = await party.grant();
  const written = await service.request('POST', '/v1/audit/log', {
    key,
    body: { agentId, grantId, action: 'a' },
  });
  expect(written.status).toBe(201);
  await remove(agentId);
  const read = await service.request('GET', `/v1/audit/${written.body.entryId}`, { key });
  expect([read.status, read.body]).toEqual([200, written.body]);
});

test('of many deletions at once, one is 204 and its revocation is counted once', async () => {
  const { grantId } = await party.grant();
  const value = async () => (await service.scrape()).value('grantex_grants_revoked_total') ?? Number.NaN;
  const before = await value();
  const answers = await Promise.all(Array.from({ length: 6 }, () => remove(party.agentId)));
  expect(answers.map(({ status }) => status).sort()).toEqual([204, ...Array(5).fill(404)]);
  expect(await value()).toBe(before + 1);
  expect(await revocations([grantId], 1)).toHaveLength(1);
});

test('what is asked for in the name of an agent while it is removed is refused, and leaves no row', async () => {
  const { agentId, key } = party;
  const { sql } = service.database;
  const code = await party.consent();
  const parent = await party.grant({ agentId: await party.newAgent() });
  const scopes = ['calendar:read'];
  const post = (path: string, body: unknown) => service.request('POST', path, { key, body });
  const waiting = (count: number) =>
    waitFor(async () => {
      const [row] = await sql`select count(*)::int as n from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`;
      return row?.['n'] >= count || undefined;
    });
  // All of them wait for the row that the test holds, the deletion first.
  const under = await sql.begin(async (holding) => {
    await holding`select from agents where id = ${agentId} for update`;
    const removal = remove(agentId);
    await waiting(1);
    const asked = [
      post('/v1/authorize', { agentId, principalId: 'p', scopes }),
      post('/v1/token', { code, agentId }),
      post('/v1/grants/delegate', { parentGrantToken: parent.grantToken, subAgentId: agentId, scopes }),
    ];
    await waiting(1 + asked.length);
    return { answers: [removal, ...asked] };
  });
  const answers = await Promise.all(under.answers);
  expect(answers.map(({ status, body }) => [status, body.code])).toEqual([
    [204, undefined],
    [404, 'NOT_FOUND'],
    [400, 'BAD_REQUEST'],
    [404, 'NOT_FOUND'],
  ]);
  const [left] = await sql`select (select count(*)::int from grants where agent_id = ${agentId}) as grants,
    (select count(*)::int from authorization_requests where agent_id = ${agentId}) as requests`;
  expect(left).toEqual({ grants: 0, requests: 0 });
  expect(await party.verify(parent.grantToken)).toBe(true);
});
