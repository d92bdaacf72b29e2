import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';

let service: TestService;
let party: Party;
let stranger: Party;
let grants: string[];
let entries: { entryId: string; status: string }[];
beforeAll(async () => {
  service = await startService();
  [party, stranger] = [await newParty(service), await newParty(service)];
  await stranger.grant();
  grants = [];
  for (let n = 0; n < 4; n++) grants.push((await party.grant({ principalId: `user_${n}` })).grantId);
  const { sql } = service.database;
  await sql`update grants set status = 'revoked', revoked_at = now() where id = ${grants[1] ?? ''}`;
  await sql`update grants set expires_at = now() - interval '1 s' where id = ${grants[2] ?? ''}`;
  for (const [n, id] of grants.entries())
    await sql`update grants set issued_at = ${day(n + 1)} where id = ${id}`;
  entries = [];
  for (const status of ['success', 'failure', 'blocked', 'success']) {
    const body = { agentId: party.agentId, grantId: grants[0], action: 'a', status };
    entries.push((await service.request('POST', '/v1/audit/log', { key: party.key, body })).body);
  }
  await service.request('POST', '/v1/policies', {
    key: party.key,
    body: { name: 'P', effect: 'deny', agentId: party.agentId },
  });
  const suspended = await party.newAgent();
  await service.request('PATCH', `/v1/agents/${suspended}`, {
    key: party.key,
    body: { status: 'suspended' },
  });
  const removed = await party.newAgent();
  await service.request('DELETE', `/v1/agents/${removed}`, { key: party.key });
});
afterAll(() => service.stop());

const day = (n: number) => `2026-01-0${n}T12:00:00.000Z`;
const get = (path: string, key = party.key) => service.request('GET', `/v1/compliance/${path}`, { key });
const ISO = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

test('the summary has the numbers of the rows', async () => {
  const { status, body, headers } = await get('summary');
  expect([status, headers.get('content-type'), headers.get('cache-control')]).toEqual([
    200,
    'application/json; charset=utf-8',
    'no-store',
  ]);
  expect(body).toEqual({
    generatedAt: ISO,
    agents: { total: 3, active: 1, suspended: 1, revoked: 1 },
    grants: { total: 4, active: 2, revoked: 1, expired: 1 },
    auditEntries: { total: 4, success: 2, failure: 1, blocked: 1 },
    policies: { total: 1 },
    plan: (await service.request('GET', '/v1/me', { key: party.key })).body.plan,
  });
  expect((await get(`summary?since=${day(2)}&until=${day(3)}`)).body).toMatchObject({
    since: day(2),
    until: day(3),
    grants: { total: 2, active: 0, revoked: 1, expired: 1 },
    auditEntries: { total: 0, success: 0, failure: 0, blocked: 0 },
  });
});

test('grants, oldest first, with their filters', async () => {
  const { body } = await get('export/grants');
  expect(body).toMatchObject({ generatedAt: ISO, total: 4 });
  expect(body.grants.map(({ grantId }: { grantId: string }) => grantId)).toEqual(grants);
  expect(body.grants[1]).toEqual({
    grantId: grants[1],
    agentId: party.agentId,
    principalId: 'user_1',
    developerId: party.developerId,
    scopes: expect.any(Array),
    status: 'revoked',
    issuedAt: day(2),
    expiresAt: ISO,
    revokedAt: ISO,
    delegationDepth: 0,
  });
  expect(body.grants[0].revokedAt).toBeNull();
  const found = async (query: string) => {
    const { body: answer } = await get(`export/grants?${query}`);
    expect(answer.total).toBe(answer.grants.length);
    return answer.grants.map(({ grantId }: { grantId: string }) => grants.indexOf(grantId));
  };
  expect(await found('status=active')).toEqual([0, 3]);
  expect(await found('status=expired')).toEqual([2]);
  expect(await found(`since=${day(2)}`)).toEqual([1, 2, 3]);
  expect(await found(`since=${day(2)}&until=${day(2)}&status=revoked`)).toEqual([1]);
  expect(await found('since=2999-01-01')).toEqual([]);
});

test('audit entries, in the order of the chain, as they are read elsewhere', async () => {
  const { body } = await get('export/audit');
  expect(body).toEqual({ generatedAt: ISO, entries, total: 4 });
  const found = async (query: string) => (await get(`export/audit?${query}`)).body;
  expect(await found('status=success')).toMatchObject({ entries: [entries[0], entries[3]], total: 2 });
  expect(await found(`agentId=${party.agentId}&status=blocked`)).toMatchObject({ entries: [entries[2]] });
  expect(await found('agentId=ag_x')).toMatchObject({ entries: [], total: 0 });
  expect(await found('until=2020-01-01')).toMatchObject({ entries: [], total: 0 });
});

test('the evidence pack has all of it, and says whether the chain is whole', async () => {
  const { body } = await get('evidence-pack?framework=soc2');
  expect(body.meta).toEqual({ schemaVersion: '1.0', generatedAt: ISO, framework: 'soc2' });
  expect(body.summary).toMatchObject({ generatedAt: body.meta.generatedAt, grants: { total: 4 } });
  expect(body.grants).toEqual((await get('export/grants')).body.grants);
  expect(body.auditEntries).toEqual(entries);
  expect(body.policies).toEqual(
    (await service.request('GET', '/v1/policies', { key: party.key })).body.policies,
  );
  expect(body.chainIntegrity).toEqual({ valid: true, checkedEntries: 4, firstBrokenAt: null });
  const period = await get(`evidence-pack?since=${day(1)}&until=${day(2)}`);
  expect(period.body).toMatchObject({
    meta: { framework: 'all', since: day(1), until: day(2) },
    auditEntries: [],
    chainIntegrity: { valid: true, checkedEntries: 0 },
  });
});

test('a developer without anything, and another one, see nothing of it', async () => {
  const { apiKey } = await service.signup();
  expect((await get('evidence-pack', apiKey)).body).toMatchObject({
    grants: [],
    auditEntries: [],
    policies: [],
    chainIntegrity: { valid: true, checkedEntries: 0, firstBrokenAt: null },
  });
  expect((await get('export/grants', stranger.key)).body.total).toBe(1);
  expect((await get('export/audit', stranger.key)).body.total).toBe(0);
});

test.each([
  'summary?since=soon',
  'export/grants?status=dead',
  'export/grants?until=2026-02-30',
  'export/audit?status=active',
  'evidence-pack?framework=iso',
])('400 for %s', async (path) => {
  const { status, body } = await get(path);
  expect([status, body.code]).toEqual([400, 'BAD_REQUEST']);
});

test('401 without a key', async () => {
  for (const path of ['summary', 'export/grants', 'export/audit', 'evidence-pack'])
    expect((await get(path, 'gx_live_unknown')).status).toBe(401);
});

test('the verification and the checkpoints by their routes', async () => {
  const verify = async (query = '') =>
    (await service.request('GET', `/v1/audit/verify${query}`, { key: party.key })).body;
  const last = entries.at(-1);
  expect(await verify()).toEqual({
    valid: true,
    checkedEntries: 4,
    firstBrokenAt: null,
    reason: null,
    head: { entryId: last?.entryId, hash: expect.stringMatching(/^[0-9a-f]{64}$/), seq: expect.any(Number) },
  });
  expect(await verify('?until=2020-01-01')).toMatchObject({ valid: true, checkedEntries: 0, head: null });
  expect((await service.request('GET', '/v1/audit/verify?since=soon', { key: party.key })).status).toBe(400);

  await service.database
    .sql`update audit_heads set checkpoint_due = now() where developer_id = ${party.developerId}`;
  const list = async () => (await service.request('GET', '/v1/audit/checkpoints', { key: party.key })).body;
  await expect.poll(async () => (await list()).total).toBe(1);
  const { checkpoints, ...page } = await list();
  expect(page).toEqual({ total: 1, page: 1, pageSize: 20 });
  const { keys } = (await service.request('GET', '/.well-known/jwks.json')).body;
  expect(checkpoints).toEqual([
    {
      developerId: party.developerId,
      seq: expect.any(Number),
      entryId: last?.entryId,
      hash: expect.any(String),
      rowHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      timestamp: ISO,
      createdAt: ISO,
      kid: keys[0].kid,
      jws: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
    },
  ]);
  const token = checkpoints[0].jws;
  const verified = await service.request('POST', '/v1/tokens/verify', { key: party.key, body: { token } });
  expect(verified.body).toEqual({ valid: false });

  const { sql } = service.database;
  await sql`update audit_entries set principal_id = 'x' where id = ${entries[1]?.entryId ?? ''}`;
  expect(await verify()).toMatchObject({
    valid: false,
    firstBrokenAt: entries[1]?.entryId,
    reason: 'content',
  });
  expect((await get('evidence-pack')).body.chainIntegrity).toEqual({
    valid: false,
    checkedEntries: 1,
    firstBrokenAt: entries[1]?.entryId,
  });
});
