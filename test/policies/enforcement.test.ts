import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';

let service: TestService;
let party: Party;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());
beforeEach(async () => {
  party = await newParty(service);
});

const addPolicy = async (fields: Record<string, unknown>, key = party.key): Promise<string> => {
  const answer = await service.request('POST', '/v1/policies', { key, body: { name: 'Rule', ...fields } });
  expect(answer.status).toBe(201);
  return answer.body.id;
};
const authorize = (fields: Record<string, unknown> = {}, { key, agentId } = party) =>
  service.request('POST', '/v1/authorize', {
    key,
    body: { agentId, principalId: 'user_1', scopes: ['calendar:read'], ...fields },
  });
const effectOf = async (fields: Record<string, unknown> = {}) => {
  const { status, body } = await authorize(fields);
  return status === 403 ? body.code : (body.effect ?? 'none');
};
const rows = async ({ developerId } = party) => {
  const [row] = await service.database.sql<{ count: number }[]>`
    select count(*)::int as count from authorization_requests where developer_id = ${developerId}`;
  return row?.count;
};
const attempts = async () => {
  const scrape = await service.scrape();
  const of = (status: string) => scrape.value('grantex_authorize_total', { status }) ?? Number.NaN;
  return {
    success: of('success'),
    denied: of('denied'),
    error: of('error'),
    // A histogram has no series before its first value.
    timed: scrape.value('grantex_authorize_duration_seconds_count') ?? 0,
    decisions: scrape.value('grantex_consent_decisions_total', { decision: 'approved' }) ?? Number.NaN,
  };
};

test('denied: 403, nothing stored, one attempt denied, one line that names the policy', async () => {
  const id = await addPolicy({ effect: 'deny' });
  const before = await attempts();
  const { status, body } = await authorize({ principalId: 'user_denied' });
  expect([status, body.code]).toEqual([403, 'POLICY_DENIED']);
  expect(Object.keys(body).sort()).toEqual(['code', 'message', 'requestId']);
  expect(await rows()).toBe(0);
  expect(await attempts()).toEqual({ ...before, denied: before.denied + 1, timed: before.timed + 1 });
  expect(
    (await service.scrape()).value('grantex_agent_authorize_total', {
      agent_id: party.agentId,
      status: 'denied',
    }),
  ).toBe(1);
  await service.logged('authorize.denied');
  const lines = service.logs.filter(
    ({ msg, agentId }) => msg === 'authorize.denied' && agentId === party.agentId,
  );
  expect(lines).toEqual([
    expect.objectContaining({
      level: 'warn',
      agentId: party.agentId,
      principalId: 'user_denied',
      reason: id,
      requestId: body.requestId,
    }),
  ]);
});

test('allowed, live: a code at once, exchanged for a token that is valid; nobody is asked any more', async () => {
  await addPolicy({ effect: 'allow' });
  const before = await attempts();
  const { status, body } = await authorize();
  expect([status, body]).toEqual([
    201,
    {
      authRequestId: expect.stringMatching(/^areq_/),
      consentUrl: expect.stringContaining(`/consent?req=${body.authRequestId}`),
      expiresAt: expect.any(String),
      agentId: party.agentId,
      principalId: 'user_1',
      scopes: ['calendar:read'],
      expiresIn: '24h',
      status: 'approved',
      createdAt: expect.any(String),
      policyEnforced: true,
      effect: 'allow',
      code: expect.stringMatching(/^[\w-]{43}$/),
    },
  ]);
  expect(await attempts()).toEqual({ ...before, success: before.success + 1, timed: before.timed + 1 });
  expect((await service.request('POST', `/v1/consent/${body.authRequestId}/deny`)).status).toBe(410);
  const pair = await party.exchange(body.code);
  expect(await party.verify(pair.grantToken)).toBe(true);
  const again = await service.request('POST', '/v1/token', {
    key: party.key,
    body: { code: body.code, agentId: party.agentId },
  });
  expect(again.status).toBe(400);
});

test('allowed with PKCE: the code needs its verifier', async () => {
  await addPolicy({ effect: 'allow' });
  const codeChallenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';
  const { body } = await authorize({ codeChallenge, codeChallengeMethod: 'S256' });
  const exchange = (codeVerifier?: string) =>
    service.request('POST', '/v1/token', {
      key: party.key,
      body: { code: body.code, agentId: party.agentId, codeVerifier },
    });
  expect((await exchange()).status).toBe(400);
  // RFC 7636, appendix B
  expect((await exchange('dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk')).status).toBe(201);
});

test('sandbox: an allowed request is both, a denied one is denied', async () => {
  const sandbox = await newParty(service, 'sandbox');
  await addPolicy({ effect: 'allow', principalId: 'user_1' }, sandbox.key);
  await addPolicy({ effect: 'deny', principalId: 'user_2' }, sandbox.key);
  const allowed = await authorize({}, sandbox);
  expect(allowed.body).toMatchObject({
    sandbox: true,
    policyEnforced: true,
    effect: 'allow',
    status: 'approved',
  });
  expect((await sandbox.exchange(allowed.body.code)).grantId).toMatch(/^grnt_/);
  expect((await authorize({ principalId: 'user_2' }, sandbox)).body.code).toBe('POLICY_DENIED');
  const other = await authorize({ principalId: 'user_3' }, sandbox);
  expect(other.body).toMatchObject({ sandbox: true, status: 'pending', code: expect.any(String) });
  expect(other.body).not.toHaveProperty('policyEnforced');
});

test('without a policy that matches all is as before', async () => {
  await addPolicy({ effect: 'deny', principalId: 'someone else' });
  const { status, body } = await authorize();
  expect([status, body.status]).toEqual([201, 'pending']);
  for (const member of ['policyEnforced', 'effect', 'code']) expect(body).not.toHaveProperty(member);
});

test('what is wrong with a request is told before any policy: 401, 404 and 400 are no denials', async () => {
  await addPolicy({ effect: 'deny' });
  const agentId = await party.newAgent({ scopes: ['mail:send'] });
  const before = await attempts();
  expect((await authorize({}, { ...party, key: 'gx_live_nobody_has_this_key' })).status).toBe(401);
  expect((await authorize({ agentId: 'ag_unknown' })).status).toBe(404);
  expect((await authorize({ agentId, scopes: ['files:read'] })).status).toBe(400);
  await service.request('PATCH', `/v1/agents/${agentId}`, { key: party.key, body: { status: 'suspended' } });
  expect((await authorize({ agentId, scopes: ['mail:send'] })).status).toBe(404);
  expect(await attempts()).toEqual({ ...before, error: before.error + 3, timed: before.timed + 3 });
});

test('a policy holds from the moment it is made until it is changed or removed', async () => {
  const id = await addPolicy({ effect: 'deny' });
  const change = (body: unknown) => service.request('PATCH', `/v1/policies/${id}`, { key: party.key, body });
  expect(await effectOf()).toBe('POLICY_DENIED');
  await change({ effect: 'allow' });
  expect(await effectOf()).toBe('allow');
  await change({ scopes: ['mail:send'] });
  expect(await effectOf()).toBe('none');
  await change({ scopes: ['mail:send', 'calendar:read'] });
  expect(await effectOf()).toBe('allow');
  await change({ effect: 'deny', scopes: ['calendar:read'] });
  expect(await effectOf({ scopes: ['calendar:read', 'one:more'] })).toBe('POLICY_DENIED');
  await change({ effect: 'deny', scopes: null });
  expect(await effectOf()).toBe('POLICY_DENIED');
  await service.request('DELETE', `/v1/policies/${id}`, { key: party.key });
  expect(await effectOf()).toBe('none');
});

test("a developer's policies are his own affair", async () => {
  await addPolicy({ effect: 'deny' });
  const other = await newParty(service);
  expect((await authorize({}, other)).body.status).toBe('pending');
});

test('a time of day is that of the service, in UTC', async () => {
  const minute = (offset: number) => new Date(Date.now() + offset * 60_000).toISOString().slice(11, 16);
  await addPolicy({
    effect: 'deny',
    principalId: 'now',
    timeOfDayStart: minute(-60),
    timeOfDayEnd: minute(60),
  });
  await addPolicy({
    effect: 'deny',
    principalId: 'else',
    timeOfDayStart: minute(60),
    timeOfDayEnd: minute(-60),
  });
  expect(await effectOf({ principalId: 'now' })).toBe('POLICY_DENIED');
  expect(await effectOf({ principalId: 'else' })).toBe('none');
});
