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

const authorize = (fields: Record<string, unknown>, key = party.key) =>
  service.request('POST', '/v1/authorize', {
    key,
    body: { agentId: party.agentId, principalId: 'user_1', scopes: ['calendar:read'], ...fields },
  });
const answerTo = async (fields: Record<string, unknown>, key = party.key) => {
  const { status, body } = await authorize(fields, key);
  return [status, body.code];
};
const counts = async () => {
  const scrape = await service.scrape();
  const of = (status: string) => scrape.value('grantex_authorize_total', { status }) ?? Number.NaN;
  return {
    success: of('success'),
    denied: of('denied'),
    error: of('error'),
    timed: scrape.value('grantex_authorize_duration_seconds_count') ?? Number.NaN,
  };
};
const CHALLENGE = 'c'.repeat(43);

test('201 with every field: the echo, the times, and a row that holds them', async () => {
  const fields = {
    principalId: 'user_all',
    scopes: ['calendar:read', 'com.example.mail.send', 'read'],
    redirectUri: 'https://app.example.com/done?a=1',
    state: 'state of mine',
    expiresIn: '90m',
    audience: 'https://api.example.com',
    codeChallenge: CHALLENGE,
    codeChallengeMethod: 'S256',
  };
  const { status, body } = await authorize({ ...fields, purpose: 'unknown members are ignored' });
  expect(status).toBe(201);
  expect(body).toEqual({
    authRequestId: expect.stringMatching(/^areq_[0-9A-HJKMNP-TV-Z]{26}$/),
    consentUrl: `${service.url}/consent?req=${body.authRequestId}`.replace('127.0.0.1', 'localhost'),
    expiresAt: expect.stringMatching(/Z$/),
    agentId: party.agentId,
    principalId: fields.principalId,
    scopes: fields.scopes,
    expiresIn: '90m',
    status: 'pending',
    createdAt: expect.stringMatching(/Z$/),
  });
  expect(Date.parse(body.expiresAt) - Date.parse(body.createdAt)).toBe(600_000);
  const [row] = await service.database.sql`
    select principal_id, scopes, redirect_uri, state, grant_seconds, audience, code_challenge, code_hash, status
    from authorization_requests where id = ${body.authRequestId}`;
  expect(row).toEqual({
    principal_id: 'user_all',
    scopes: fields.scopes,
    redirect_uri: fields.redirectUri,
    state: fields.state,
    grant_seconds: 5400,
    audience: fields.audience,
    code_challenge: CHALLENGE,
    code_hash: null,
    status: 'pending',
  });
});

test('201 with the least: 24h is the default, and a live developer gets no code', async () => {
  const { status, body } = await authorize({});
  expect([status, body.expiresIn]).toEqual([201, '24h']);
  expect(body).not.toHaveProperty('code');
  expect(body).not.toHaveProperty('sandbox');
});

test('201 for a sandbox developer has a code that works at once', async () => {
  const sandbox = await newParty(service, 'sandbox');
  const { status, body } = await authorize({ agentId: sandbox.agentId }, sandbox.key);
  expect([status, body.sandbox]).toEqual([201, true]);
  const pair = await sandbox.exchange(body.code);
  expect(await sandbox.verify(pair.grantToken)).toBe(true);
});

test('404 for an unknown, a suspended and a foreign agent', async () => {
  const stranger = await newParty(service);
  const suspended = await party.newAgent();
  const path = `/v1/agents/${suspended}`;
  expect(
    (await service.request('PATCH', path, { key: party.key, body: { status: 'suspended' } })).status,
  ).toBe(200);
  for (const agentId of ['ag_unknown', 'no shape at all', suspended, stranger.agentId])
    expect(await answerTo({ agentId })).toEqual([404, 'NOT_FOUND']);
});

test('a refusal is counted for its agent when that is known, and for "other" when it is not', async () => {
  const [suspended, narrow] = [await party.newAgent(), await party.newAgent({ scopes: ['mail:send'] })];
  await service.request('PATCH', `/v1/agents/${suspended}`, {
    key: party.key,
    body: { status: 'suspended' },
  });
  const errors = async () => {
    const scrape = await service.scrape();
    return [suspended, narrow, 'other'].map(
      (agent_id) => scrape.value('grantex_agent_authorize_total', { status: 'error', agent_id }) ?? 0,
    );
  };
  const [, , other = Number.NaN] = await errors();
  for (const agentId of [suspended, suspended, narrow, 'ag_unknown'])
    expect((await authorize({ agentId })).status).toBeGreaterThanOrEqual(400);
  // A scrape waits only some milliseconds for the database to decide about an agent.
  await expect.poll(errors).toEqual([2, 1, other + 1]);
});

test('400 for a scope outside the registered ones; an agent without any may ask for all', async () => {
  const agentId = await party.newAgent({ scopes: ['calendar:read', 'mail:send'] });
  expect((await authorize({ agentId, scopes: ['mail:send'] })).status).toBe(201);
  expect(await answerTo({ agentId, scopes: ['mail:send', 'files:read'] })).toEqual([400, 'BAD_REQUEST']);
  // Compared as a whole: no prefix of a registered scope is one.
  expect(await answerTo({ agentId, scopes: ['mail'] })).toEqual([400, 'BAD_REQUEST']);
  expect((await authorize({ scopes: ['what:ever'] })).status).toBe(201);
});

test.each<[string, Record<string, unknown>, number]>([
  ['the pair', { codeChallenge: CHALLENGE, codeChallengeMethod: 'S256' }, 201],
  ['a challenge alone', { codeChallenge: CHALLENGE }, 400],
  ['a method alone', { codeChallengeMethod: 'S256' }, 400],
  ['the method plain', { codeChallenge: CHALLENGE, codeChallengeMethod: 'plain' }, 400],
  ['42 characters', { codeChallenge: 'c'.repeat(42), codeChallengeMethod: 'S256' }, 400],
  ['44 characters', { codeChallenge: 'c'.repeat(44), codeChallengeMethod: 'S256' }, 400],
  ['base64 that is not base64url', { codeChallenge: `${'c'.repeat(42)}+`, codeChallengeMethod: 'S256' }, 400],
])('PKCE: %s', async (_case, fields, status) => {
  expect((await authorize(fields)).status).toBe(status);
});

test.each([
  ['https://app.example.com/cb', 201],
  ['http://localhost:8080/cb', 201],
  ['com.example.app:/cb', 201],
  ['http://app.example.com/cb', 400],
  ['myapp://cb', 400],
  ['itms-services:x', 400],
  ['vscode:x', 400],
  ['rdp:x', 400],
  ['javascript:alert(1)', 400],
  ['JavaScript:alert(1)', 400],
  ['java\nscript:alert(1)', 400],
  ['data:text/html,x', 400],
  ['/relative', 400],
  ['https://app.example.com/#fragment', 400],
  ['', 400],
])('redirectUri %j: %i', async (redirectUri, status) => {
  expect((await authorize({ redirectUri })).status).toBe(status);
});

test.each([
  ['1s', 1],
  ['15m', 900],
  ['2h', 7200],
  ['30d', 2_592_000],
])('expiresIn %s is %i seconds', async (expiresIn, seconds) => {
  const { status, body } = await authorize({ expiresIn });
  expect([status, body.expiresIn]).toEqual([201, expiresIn]);
  const [row] = await service.database
    .sql`select grant_seconds from authorization_requests where id = ${body.authRequestId}`;
  expect(row).toEqual({ grant_seconds: seconds });
});

test.each(['', '0s', '24', 'h', '1w', '1.5h', '-1h', ' 1h', '1h ', '1H', '01h', '999999999d', 3600, null])(
  'expiresIn %j: 400',
  async (expiresIn) => {
    expect(await answerTo({ expiresIn })).toEqual([400, 'BAD_REQUEST']);
  },
);

test.each<[string, Record<string, unknown>]>([
  ['no agentId', { agentId: undefined }],
  ['no principalId', { principalId: undefined }],
  ['an empty principalId', { principalId: '' }],
  ['no scopes', { scopes: undefined }],
  ['empty scopes', { scopes: [] }],
  ['an empty scope', { scopes: [''] }],
  ['a scope of 257 characters', { scopes: ['s'.repeat(257)] }],
  ['101 scopes', { scopes: Array.from({ length: 101 }, (_, n) => `s:${n}`) }],
  ['scopes that are text', { scopes: 'calendar:read' }],
  ['a principal that is a number', { principalId: 7 }],
  ['a NUL character', { state: 'a\0b' }],
])('400: %s', async (_case, fields) => {
  expect(await answerTo(fields)).toEqual([400, 'BAD_REQUEST']);
});

test('a scope of 256 characters and 100 scopes are accepted', async () => {
  expect((await authorize({ scopes: ['s'.repeat(256)] })).status).toBe(201);
  expect((await authorize({ scopes: Array.from({ length: 100 }, (_, n) => `s:${n}`) })).status).toBe(201);
});

test('401 comes before 400, and before 404', async () => {
  const wrong = 'gx_live_nobody_has_this_key';
  expect(await answerTo({}, wrong)).toEqual([401, 'UNAUTHORIZED']);
  expect(await answerTo({ scopes: 'wrong' }, wrong)).toEqual([401, 'UNAUTHORIZED']);
  expect(await answerTo({ expiresIn: '999999999d' }, wrong)).toEqual([401, 'UNAUTHORIZED']);
  expect(await answerTo({ agentId: 'ag_unknown' }, wrong)).toEqual([401, 'UNAUTHORIZED']);
  const malformed = await service.request('POST', '/v1/authorize', { key: wrong, body: '{"a":' });
  expect(malformed.status).toBe(401);
  const keyless = await service.request('POST', '/v1/authorize', { body: { scopes: 'wrong' } });
  expect(keyless.status).toBe(401);
});

test('attempts: 201 is a success, 400 and 404 are errors, 401 is none; each is timed once', async () => {
  const before = await counts();
  expect((await authorize({})).status).toBe(201);
  expect((await authorize({ scopes: [] })).status).toBe(400);
  expect((await authorize({ agentId: 'ag_unknown' })).status).toBe(404);
  expect((await authorize({}, 'gx_live_nobody_has_this_key')).status).toBe(401);
  expect((await authorize({ scopes: [] }, 'gx_live_nobody_has_this_key')).status).toBe(401);
  const after = await counts();
  expect(after).toEqual({
    success: before.success + 1,
    denied: before.denied,
    error: before.error + 2,
    timed: before.timed + 3,
  });
  expect(after.timed).toBe(after.success + after.denied + after.error);
});

test('REQUIRE_PKCE: 400 without a challenge; ALLOW_HTTP_REDIRECTS: http to any host', async () => {
  const { database } = service;
  const strict = await startService({
    database,
    env: { REQUIRE_PKCE: 'true', ALLOW_HTTP_REDIRECTS: 'true' },
  });
  try {
    const ask = async (fields: Record<string, unknown>) => {
      const body = { agentId: party.agentId, principalId: 'user_1', scopes: ['calendar:read'], ...fields };
      return (await strict.request('POST', '/v1/authorize', { key: party.key, body })).status;
    };
    const pkce = { codeChallenge: CHALLENGE, codeChallengeMethod: 'S256' };
    expect([await ask({}), await ask(pkce)]).toEqual([400, 201]);
    expect(await ask({ ...pkce, redirectUri: 'http://app.example.com/cb' })).toBe(201);
    expect(await ask({ ...pkce, redirectUri: 'myapp://cb' })).toBe(400);
  } finally {
    await strict.stop();
  }
});
