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

const look = (id: string) => service.request('GET', `/v1/consent/${id}`);
const page = (id: string) => service.request('GET', `/consent?req=${id}`);
const decide = (id: string, verb: 'approve' | 'deny') => service.request('POST', `/v1/consent/${id}/${verb}`);
const pending = async (fields: Record<string, unknown> = {}) => (await party.authorize(fields)).authRequestId;
const expire = (id: string) =>
  service.database.sql`update authorization_requests set expires_at = now() where id = ${id}`;
const decisions = async () => {
  const scrape = await service.scrape();
  const of = (decision: string) =>
    scrape.value('grantex_consent_decisions_total', { decision }) ?? Number.NaN;
  return { approved: of('approved'), denied: of('denied') };
};

test('200 GET /v1/consent/:id says who asks for what, until when, and no more', async () => {
  const named = await service.signup({ name: 'Acme Travel' });
  const agent = await service.request('POST', '/v1/agents', {
    key: named.apiKey,
    body: { name: 'Trip Planner', description: 'Plans trips.' },
  });
  const asked = await service.request('POST', '/v1/authorize', {
    key: named.apiKey,
    body: {
      agentId: agent.body.agentId,
      principalId: 'user_1',
      scopes: ['calendar:read', 'x-odd'],
      state: 'secret state',
    },
  });
  const { status, body } = await look(asked.body.authRequestId);
  expect(status).toBe(200);
  expect(body).toEqual({
    id: asked.body.authRequestId,
    agentName: 'Trip Planner',
    agentDid: `did:grantex:${agent.body.agentId}`,
    agentDescription: 'Plans trips.',
    developerName: 'Acme Travel',
    scopes: ['calendar:read', 'x-odd'],
    scopeDescriptions: ['Read your calendar', expect.stringContaining('“x-odd”')],
    expiresAt: asked.body.expiresAt,
    status: 'pending',
  });
});

test('a public route ignores a wrong Authorization header', async () => {
  const id = await pending();
  const headers = { authorization: 'Bearer gx_live_nobody_has_this_key' };
  expect((await service.request('GET', `/v1/consent/${id}`, { headers })).status).toBe(200);
  expect((await service.request('POST', `/v1/consent/${id}/deny`, { headers })).status).toBe(200);
});

test('404 for an unknown or malformed id, on every route', async () => {
  for (const id of ['areq_unknown', 'no-shape', '%F0%9F%98%80', 'a%00b']) {
    expect((await look(id)).body.code).toBe('NOT_FOUND');
    expect((await decide(id, 'approve')).status).toBe(404);
    expect((await decide(id, 'deny')).status).toBe(404);
    expect((await page(id)).status).toBe(404);
  }
});

test('200 approve: a code that works once, redirectUri and state; then 410 everywhere', async () => {
  const id = await pending({ redirectUri: 'https://app.example.com/cb', state: 'my state' });
  const { status, body } = await decide(id, 'approve');
  expect([status, body]).toEqual([
    200,
    {
      code: expect.stringMatching(/^[\w-]{40,}$/),
      redirectUri: 'https://app.example.com/cb',
      state: 'my state',
    },
  ]);
  expect((await party.exchange(body.code)).scopes).toEqual(['calendar:read']);
  const gone = await look(id);
  expect([gone.status, gone.body.code]).toEqual([410, 'GONE']);
  for (const verb of ['approve', 'deny'] as const) {
    const again = await decide(id, verb);
    expect([again.status, again.body.code]).toEqual([410, 'GONE']);
  }
  expect((await page(id)).status).toBe(410);
});

test('200 deny: redirectUri and state without a code; nulls when none were given; then 410', async () => {
  const id = await pending({ redirectUri: 'com.example.app:/cb', state: 's' });
  expect((await decide(id, 'deny')).body).toEqual({ redirectUri: 'com.example.app:/cb', state: 's' });
  expect((await look(id)).status).toBe(410);
  expect((await decide(id, 'approve')).status).toBe(410);
  const bare = await pending();
  expect((await decide(bare, 'deny')).body).toEqual({ redirectUri: null, state: null });
  const approved = await decide(await pending(), 'approve');
  expect(approved.body).toEqual({ code: expect.any(String), redirectUri: null, state: null });
});

test('a decision needs no auth and no body, and takes any body that is an object', async () => {
  const id = await pending();
  const bare = await fetch(`${service.url}/v1/consent/${id}/approve`, { method: 'POST' });
  expect(bare.status).toBe(200);
  const typed = await service.request('POST', `/v1/consent/${await pending()}/approve`, {
    headers: { 'content-type': 'application/json' },
  });
  expect(typed.status).toBe(200);
  const odd = await service.request('POST', `/v1/consent/${await pending()}/deny`, { body: { extra: [1] } });
  expect(odd.status).toBe(200);
});

test('400 for a body that is no JSON object, and the request stays open', async () => {
  const id = await pending();
  for (const body of ['{"a":', '[]'])
    expect((await service.request('POST', `/v1/consent/${id}/approve`, { body })).status).toBe(400);
  expect((await look(id)).body.status).toBe('pending');
});

test('410 for an expired request, on every route, and nothing is counted', async () => {
  const id = await pending();
  await expire(id);
  const before = await decisions();
  expect((await look(id)).status).toBe(410);
  expect((await decide(id, 'approve')).status).toBe(410);
  expect((await decide(id, 'deny')).status).toBe(410);
  const html = await page(id);
  expect([html.status, html.body]).toEqual([410, expect.stringContaining('This request has expired')]);
  expect(await decisions()).toEqual(before);
});

test('of decisions at the same moment exactly one wins, whichever they are', async () => {
  for (let round = 0; round < 10; round++) {
    const id = await pending();
    const before = await decisions();
    const answers = await Promise.all(
      (['approve', 'deny', 'approve', 'deny'] as const).map((verb) => decide(id, verb)),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 410, 410, 410]);
    const winner = answers.findIndex(({ status }) => status === 200);
    const approved = winner % 2 === 0;
    const [row] = await service.database.sql`
      select status, code_hash is not null as code from authorization_requests where id = ${id}`;
    expect(row).toEqual({ status: approved ? 'approved' : 'denied', code: approved });
    const after = await decisions();
    expect([after.approved - before.approved, after.denied - before.denied]).toEqual(
      approved ? [1, 0] : [0, 1],
    );
  }
});

test('decisions are counted once each, and never for refusals', async () => {
  const before = await decisions();
  const id = await pending();
  await decide(id, 'approve');
  await decide(id, 'approve');
  await decide(await pending(), 'deny');
  await decide('areq_unknown', 'deny');
  expect(await decisions()).toEqual({ approved: before.approved + 1, denied: before.denied + 1 });
});

test('403 CONSENT_REQUIRED: a live developer cannot decide in the place of the principal', async () => {
  const id = await pending();
  for (const verb of ['approve', 'deny']) {
    const answer = await service.request('POST', `/v1/authorize/${id}/${verb}`, { key: party.key });
    expect([answer.status, answer.body.code]).toEqual([403, 'CONSENT_REQUIRED']);
  }
  expect((await look(id)).status).toBe(200);
  expect((await service.request('POST', `/v1/authorize/${id}/approve`)).status).toBe(401);
});

test('a sandbox developer decides: 200 once, then 404; unknown, expired and foreign requests are 404', async () => {
  const sandbox = await newParty(service, 'sandbox');
  const other = await newParty(service, 'sandbox');
  const ask = (id: string, verb: string, key = sandbox.key) =>
    service.request('POST', `/v1/authorize/${id}/${verb}`, { key });

  const { authRequestId: id } = await sandbox.authorize();
  expect((await ask(id, 'approve', other.key)).status).toBe(404);
  const approved = await ask(id, 'approve');
  expect([approved.status, approved.body]).toEqual([
    200,
    { requestId: id, status: 'approved', code: expect.any(String) },
  ]);
  expect((await sandbox.exchange(approved.body.code)).grantId).toMatch(/^grnt_/);
  expect((await ask(id, 'approve')).status).toBe(404);
  expect((await ask(id, 'deny')).status).toBe(404);

  const denied = await sandbox.authorize();
  const answer = await ask(denied.authRequestId, 'deny');
  expect([answer.status, answer.body]).toEqual([200, { requestId: denied.authRequestId, status: 'denied' }]);
  const late = await sandbox.authorize();
  await expire(late.authRequestId);
  expect((await ask(late.authRequestId, 'approve')).status).toBe(404);
  expect((await ask('areq_unknown', 'approve')).status).toBe(404);
});

test('approving a sandbox request replaces the code that it was born with', async () => {
  const sandbox = await newParty(service, 'sandbox');
  const { authRequestId, code: born } = await sandbox.authorize();
  const approved = await service.request('POST', `/v1/authorize/${authRequestId}/approve`, {
    key: sandbox.key,
  });
  const exchange = (code: unknown) =>
    service.request('POST', '/v1/token', { key: sandbox.key, body: { code, agentId: sandbox.agentId } });
  expect((await exchange(born)).status).toBe(400);
  expect((await exchange(approved.body.code)).status).toBe(201);
});

test('the page: 200 with the request, 404 and 410 as pages, each with its headers', async () => {
  const id = await pending({ scopes: ['email:send'] });
  const shown = await page(id);
  expect(shown.body).toContain('Send email');
  const decided = await pending();
  await decide(decided, 'deny');
  const answers = [
    shown,
    await page(decided),
    await page('areq_unknown'),
    await service.request('GET', '/consent'),
  ];
  expect(answers.map(({ status }) => status)).toEqual([200, 410, 404, 404]);
  for (const { headers, body } of answers) {
    expect(body).toContain('<!doctype html>');
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'referrer-policy': 'no-referrer',
      'x-frame-options': 'DENY',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    });
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe');
  }
});
