import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService, untilAvailable, waitFor } from '../support/service.ts';

let service: TestService;
let party: Party;
beforeAll(async () => {
  service = await startService({ env: { DATABASE_POOL_MAX: '10' } });
  party = await newParty(service);
});
afterAll(() => service.stop());

const delegate = (body: Record<string, unknown>, key = party.key) =>
  service.request('POST', '/v1/grants/delegate', {
    key,
    body: { subAgentId: party.agentId, scopes: ['calendar:read'], ...body },
  });
const revoke = (grantId: string) => service.request('DELETE', `/v1/grants/${grantId}`, { key: party.key });
const grant = (grantId: string) => service.request('GET', `/v1/grants/${grantId}`, { key: party.key });

test('a chain of three, and no fourth', async () => {
  const pairs = [await party.grant()];
  for (let depth = 1; depth <= 3; depth++)
    pairs.push(await party.delegate(pairs[depth - 1]?.grantToken ?? ''));
  const answers = await Promise.all(pairs.map(({ grantId }) => grant(grantId)));
  expect(answers.map(({ body }) => body.delegationDepth)).toEqual([0, 1, 2, 3]);
  expect(answers.map(({ body }) => body.parentGrantId)).toEqual([
    undefined,
    ...pairs.slice(0, 3).map((p) => p.grantId),
  ]);
  const deeper = await delegate({ parentGrantToken: pairs[3]?.grantToken });
  expect([deeper.status, deeper.body.code]).toEqual([403, 'DELEGATION_DEPTH_EXCEEDED']);
});

test('refusals: wider scopes, unknown sub-agent, foreign, revoked, expired or garbled parent', async () => {
  const { grantToken, grantId } = await party.grant();
  const stranger = await newParty(service);
  const of = async (body: Record<string, unknown>, key = party.key) => {
    const answer = await delegate(body, key);
    return [answer.status, answer.body.code];
  };
  expect(await of({ parentGrantToken: grantToken, scopes: ['email:send'] })).toEqual([400, 'BAD_REQUEST']);
  expect(await of({ parentGrantToken: grantToken, subAgentId: 'ag_x' })).toEqual([404, 'NOT_FOUND']);
  expect(await of({ parentGrantToken: grantToken, subAgentId: stranger.agentId })).toEqual([
    404,
    'NOT_FOUND',
  ]);
  expect(await of({ parentGrantToken: grantToken }, stranger.key)).toEqual([403, 'FORBIDDEN']);
  expect(await of({ parentGrantToken: 'garbage' })).toEqual([400, 'BAD_REQUEST']);
  expect(await of({})).toEqual([400, 'BAD_REQUEST']);
  const late = await party.grant();
  await service.database.sql`update grants set expires_at = now() where id = ${late.grantId}`;
  expect(await of({ parentGrantToken: late.grantToken })).toEqual([400, 'BAD_REQUEST']);
  await revoke(grantId);
  expect(await of({ parentGrantToken: grantToken })).toEqual([400, 'BAD_REQUEST']);
});

test('the line of a delegation says in milliseconds how long it took', async () => {
  const HELD_MS = 300;
  const { grantToken } = await party.grant();
  const subAgentId = await party.newAgent();
  // The new grant refers to this row, so its insertion waits for the lock.
  const held = service.database.sql.begin(async (tx) => {
    await tx`select from agents where id = ${subAgentId} for update`;
    const begun = performance.now();
    const delegation = party.delegate(grantToken, { subAgentId }).then((pair) => ({
      pair,
      tookMs: performance.now() - begun,
    }));
    await waitFor(async () => {
      const [row] = await service.database.sql`select count(*)::int as waiting from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`;
      return row?.['waiting'] > 0 || undefined;
    });
    await tx`select pg_sleep(${HELD_MS / 1000})`;
    return { delegation };
  });
  const { pair, tookMs } = await (await held).delegation;
  const lines = await waitFor(() => {
    const own = service.logs.filter(
      ({ msg, grantId }) => msg === 'grant.created' && grantId === pair.grantId,
    );
    return own.length > 0 ? own : undefined;
  });
  expect(lines).toEqual([expect.objectContaining({ agentId: subAgentId, latencyMs: expect.any(Number) })]);
  expect(lines[0]?.['latencyMs']).toBeGreaterThanOrEqual(HELD_MS);
  expect(lines[0]?.['latencyMs']).toBeLessThanOrEqual(Math.ceil(tookMs));
});

test('a child never outlives its parent', async () => {
  const { grantToken, expiresAt } = await party.grant({ expiresIn: '2h' });
  expect((await party.delegate(grantToken, { expiresIn: '3h' })).expiresAt).toBe(expiresAt);
  const { expiresAt: shorter } = await party.delegate(grantToken, { expiresIn: '30m' });
  expect(Date.parse(shorter)).toBeLessThan(Date.parse(expiresAt));
});

test('a revoked root takes every branch with it; the counter, the gauge and the rows agree', async () => {
  const count = async () => (await service.scrape()).value('grantex_grants_revoked_total') ?? Number.NaN;
  const root = await party.grant();
  const branches = await Promise.all([party.delegate(root.grantToken), party.delegate(root.grantToken)]);
  const leaves = await Promise.all(branches.map(({ grantToken }) => party.delegate(grantToken)));
  const before = await count();
  expect((await revoke(root.grantId)).status).toBe(204);
  expect(await count()).toBe(before + 5);
  for (const { grantToken } of [...branches, ...leaves]) expect(await party.verify(grantToken)).toBe(false);
  const line = (await service.logged('grant.revoked')).find(({ grantId }) => grantId === root.grantId);
  expect(line).toMatchObject({ revokedBy: 'developer', cascadeCount: 4 });
  const [rows] = await service.database.sql`select count(*)::int as created,
    (count(*) filter (where parent_grant_id is not null))::int as delegated,
    (count(*) filter (where status = 'revoked'))::int as revoked,
    (count(*) filter (where status = 'active' and expires_at <= now()))::int as expired from grants`;
  const scrape = await service.scrape();
  const created = (origin: string) => scrape.value('grantex_grants_created_total', { origin });
  expect([created('consent'), created('delegation'), scrape.value('grantex_grants_revoked_total')]).toEqual([
    rows?.['created'] - rows?.['delegated'],
    rows?.['delegated'],
    rows?.['revoked'],
  ]);
  const active = rows?.['created'] - rows?.['revoked'] - rows?.['expired'];
  await waitFor(async () => (await service.scrape()).value('grantex_active_grants') === active || undefined);
});

test('delegating while the root is being revoked never leaves a living descendant', async () => {
  for (let round = 0; round < 8; round++) {
    const root = await party.grant();
    const child = await party.delegate(root.grantToken);
    const delegations = Array.from({ length: 24 }, (_, n) =>
      untilAvailable(() => delegate({ parentGrantToken: n % 2 ? root.grantToken : child.grantToken })),
    );
    const revocation = untilAvailable(() => revoke(root.grantId));
    const [revoked, ...answers] = await Promise.all([revocation, ...delegations]);
    expect(revoked?.status).toBe(204);
    expect(answers.every(({ status }) => status === 201 || status === 400)).toBe(true);
    const living = await service.database
      .sql`select id from grants where root_grant_id = ${root.grantId} and status = 'active'`;
    expect(living).toEqual([]);
  }
});

test('deleting an agent revokes its grants and their descendants, removes its own, and keeps the tally', async () => {
  const agentId = await party.newAgent();
  const other = await party.newAgent();
  const own = await party.exchange(await party.consent({ agentId }), agentId);
  const held = await party.delegate(own.grantToken, { subAgentId: other });
  const pending = await party.authorize({ agentId });
  expect((await service.request('DELETE', `/v1/agents/${agentId}`, { key: party.key })).status).toBe(204);
  expect(await party.verify(own.grantToken)).toBe(false);
  expect((await grant(own.grantId)).status).toBe(404);
  expect((await grant(held.grantId)).body.status).toBe('revoked');
  expect((await service.request('GET', `/v1/consent/${pending.authRequestId}`)).status).toBe(404);
  const [row] = await service.database
    .sql`select consented::int, delegated::int, revoked::int from removed_grants where agent_id = ${agentId}`;
  expect(row).toEqual({ consented: 1, delegated: 0, revoked: 1 });
  const line = (await service.logged('grant.revoked')).find(({ grantId }) => grantId === own.grantId);
  expect(line).toMatchObject({ revokedBy: 'agent_deleted', cascadeCount: 1 });
});

test('lists: newest first, filters, derived status, pages', async () => {
  const one = await newParty(service);
  const ids: string[] = [];
  for (const principalId of ['a', 'b', 'c']) ids.unshift((await one.grant({ principalId })).grantId);
  await service.request('DELETE', `/v1/grants/${ids[0]}`, { key: one.key });
  await service.database.sql`update grants set expires_at = now() where id = ${ids[1] ?? ''}`;
  const list = async (query: string) => {
    const { body } = await service.request('GET', `/v1/grants?${query}`, { key: one.key });
    return [body.total, body.grants?.map(({ id }: { id: string }) => id)];
  };
  expect(await list('')).toEqual([3, ids]);
  expect(await list('status=revoked')).toEqual([1, [ids[0]]]);
  expect(await list('status=expired')).toEqual([1, [ids[1]]]);
  expect(await list('status=active')).toEqual([1, [ids[2]]]);
  expect(await list(`agentId=${one.agentId}&principalId=b`)).toEqual([1, [ids[1]]]);
  expect(await list('agentId=%00%F0%9F')).toEqual([0, []]);
  expect(await list('page=2&pageSize=2')).toEqual([3, [ids[2]]]);
  const { body } = await service.request('GET', '/v1/grants?pageSize=1000', { key: one.key });
  expect([body.page, body.pageSize]).toEqual([1, 100]);
  for (const query of ['page=0', 'page=x', 'pageSize=0', 'page=1e99', 'status=odd'])
    expect((await service.request('GET', `/v1/grants?${query}`, { key: one.key })).status).toBe(400);
  expect((await service.request('GET', `/v1/grants/${ids[2]}`, { key: party.key })).status).toBe(404);
  expect((await service.request('DELETE', `/v1/grants/${ids[2]}`, { key: party.key })).status).toBe(404);
});
