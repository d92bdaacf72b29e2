import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { crowd, statuses } from '../races/replicas.ts';
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

const exchange = (body: object, key = party.key) => service.request('POST', '/v1/token', { key, body });
const refresh = (body: object, headers: Record<string, string> = {}) =>
  service.request('POST', '/v1/token/refresh', { key: party.key, body, headers });
const statusOf = async (grantId: string) =>
  (await service.request('GET', `/v1/grants/${grantId}`, { key: party.key })).body.status;
const attempts = async (kind: string) => {
  const scrape = await service.scrape();
  const of = (status: string) => scrape.value(`grantex_${kind}_total`, { status }) ?? Number.NaN;
  return { success: of('success'), error: of('error') };
};
const verifier = 'v'.repeat(43);
const challengeOf = (text: string) => ({
  codeChallenge: createHash('sha256').update(text).digest('base64url'),
  codeChallengeMethod: 'S256',
});
const pkce = challengeOf(verifier);

test('50 callers with one code: one 201, one grant, and the counters say so', async () => {
  const code = await party.consent();
  const before = await attempts('token_exchange');
  const { answers, repetitions } = await crowd([service], 50, () =>
    exchange({ code, agentId: party.agentId }),
  );
  expect(statuses(answers)).toEqual({ 201: 1, 400: 49 });
  const [row] = await service.database
    .sql`select count(*)::int as grants from grants where developer_id = ${party.developerId}`;
  expect(row).toEqual({ grants: 1 });
  expect(await attempts('token_exchange')).toEqual({
    success: before.success + 1,
    error: before.error + 49 + repetitions,
  });
  // Presenting a used code, even at the same moment, gives the code away as leaked.
  const winner = answers.find(({ status }) => status === 201)?.body;
  expect(await statusOf(winner.grantId)).toBe('revoked');
});

test('a replayed code revokes the grant and what was delegated from it, and says who did', async () => {
  const code = await party.consent();
  const pair = await party.exchange(code);
  const child = await party.delegate(pair.grantToken);
  expect((await exchange({ code, agentId: party.agentId })).status).toBe(400);
  expect(await party.verify(pair.grantToken)).toBe(false);
  expect(await party.verify(child.grantToken)).toBe(false);
  const lines = await service.logged('grant.revoked');
  expect(lines.find(({ grantId }) => grantId === pair.grantId)).toMatchObject({
    revokedBy: 'code_replay',
    cascadeCount: 1,
  });
});

test('another developer who presents a used code revokes nothing', async () => {
  const code = await party.consent();
  const pair = await party.exchange(code);
  const stranger = await newParty(service);
  expect((await exchange({ code, agentId: stranger.agentId }, stranger.key)).status).toBe(400);
  expect(await party.verify(pair.grantToken)).toBe(true);
});

test.each<[string, object, object, number]>([
  ['with challenge and verifier', pkce, { codeVerifier: verifier }, 201],
  ['with challenge, without verifier', pkce, {}, 400],
  ['with challenge and another verifier', pkce, { codeVerifier: 'w'.repeat(43) }, 400],
  ['without challenge, with verifier', {}, { codeVerifier: verifier }, 400],
  ...(
    [
      ['1 character', 'v', 400],
      ['42 characters', 'v'.repeat(42), 400],
      ['43 characters of all kinds', `${'aZ09-._~'.repeat(5)}abc`, 201],
      ['128 characters', 'v'.repeat(128), 201],
      ['129 characters', 'v'.repeat(129), 400],
      ['a blank in it', `${'v'.repeat(42)} `, 400],
      ['base64', `${'v'.repeat(42)}+`, 400],
      ['a line end behind it', `${'v'.repeat(43)}\n`, 400],
    ] as const
  ).map(([name, text, status]): [string, object, object, number] => [
    `with the challenge of ${name}`,
    challengeOf(text),
    { codeVerifier: text },
    status,
  ]),
])('PKCE: %s', async (_case, asked, presented, status) => {
  const code = await party.consent(asked as Record<string, unknown>);
  expect((await exchange({ code, agentId: party.agentId, ...presented })).status).toBe(status);
});

test('400 for an unknown code, a wrong agent, an expired code, a denied request, a suspended agent', async () => {
  const agentId = party.agentId;
  expect((await exchange({ code: 'nope', agentId })).status).toBe(400);
  expect((await exchange({ code: await party.consent(), agentId: await party.newAgent() })).status).toBe(400);
  expect((await exchange({ code: await party.consent(), agentId: 'ag_unknown' })).status).toBe(400);
  const late = await party.consent();
  await service.database
    .sql`update authorization_requests set code_expires_at = now() where developer_id = ${party.developerId}`;
  expect((await exchange({ code: late, agentId })).status).toBe(400);
  const sandbox = await newParty(service, 'sandbox');
  const { authRequestId, code } = await sandbox.authorize();
  await service.request('POST', `/v1/authorize/${authRequestId}/deny`, { key: sandbox.key });
  expect((await exchange({ code, agentId: sandbox.agentId }, sandbox.key)).status).toBe(400);
  const suspended = await party.consent();
  await service.request('PATCH', `/v1/agents/${agentId}`, { key: party.key, body: { status: 'suspended' } });
  expect((await exchange({ code: suspended, agentId })).status).toBe(400);
});

test('50 callers with one refresh token: one 201; the reuse revokes the grant', async () => {
  const { refreshToken, grantId } = await party.grant();
  const before = await attempts('token_refresh');
  const { answers, repetitions } = await crowd([service], 50, () =>
    refresh({ refreshToken, agentId: party.agentId }),
  );
  expect(statuses(answers)).toEqual({ 201: 1, 400: 49 });
  expect(await attempts('token_refresh')).toEqual({
    success: before.success + 1,
    error: before.error + 49 + repetitions,
  });
  expect(await statusOf(grantId)).toBe('revoked');
  const lines = await service.logged('grant.revoked');
  expect(lines.filter((line) => line['grantId'] === grantId)).toHaveLength(1);
});

test('an Idempotency-Key makes a repetition of a refresh: another grant token, and the same refresh token', async () => {
  const { refreshToken, grantId } = await party.grant();
  const body = { refreshToken, agentId: party.agentId };
  const key = { 'idempotency-key': 'once' };
  const first = await refresh(body, key);
  const second = await refresh(body, key);
  expect([first.status, second.status]).toEqual([201, 201]);
  expect(second.body.grantId).toBe(grantId);
  expect(second.body.refreshToken).toBe(first.body.refreshToken);
  expect(second.body.grantToken).not.toBe(first.body.grantToken);
  expect(await party.verify(first.body.grantToken)).toBe(true);
  expect(await statusOf(grantId)).toBe('active');
  const next = await refresh({ refreshToken: second.body.refreshToken, agentId: party.agentId });
  expect(next.status).toBe(201);
  expect(await party.verify(next.body.grantToken)).toBe(true);
});

test('another key, or the same after five minutes, is reuse', async () => {
  const one = await party.grant();
  const body = { refreshToken: one.refreshToken, agentId: party.agentId };
  await refresh(body, { 'idempotency-key': 'a' });
  expect((await refresh(body, { 'idempotency-key': 'b' })).status).toBe(400);
  expect(await statusOf(one.grantId)).toBe('revoked');

  const other = await party.grant();
  const late = { refreshToken: other.refreshToken, agentId: party.agentId };
  await refresh(late, { 'idempotency-key': 'a' });
  await service.database
    .sql`update refresh_tokens set used_at = used_at - interval '301 seconds' where grant_id = ${other.grantId}`;
  expect((await refresh(late, { 'idempotency-key': 'a' })).status).toBe(400);
  expect(await statusOf(other.grantId)).toBe('revoked');
  expect((await refresh(late, { 'idempotency-key': 'x'.repeat(256) })).status).toBe(400);
});

test('a refresh token of a foreign agent, of another developer or of an expired grant is refused and harms nothing', async () => {
  const { refreshToken, grantId, grantToken } = await party.grant();
  expect((await refresh({ refreshToken, agentId: await party.newAgent() })).status).toBe(400);
  expect((await refresh({ refreshToken, agentId: 'ag_x' })).status).toBe(400);
  const stranger = await newParty(service);
  const foreign = { key: stranger.key, body: { refreshToken, agentId: stranger.agentId } };
  expect((await service.request('POST', '/v1/token/refresh', foreign)).status).toBe(400);
  expect(await party.verify(grantToken)).toBe(true);
  await service.database.sql`update grants set expires_at = now() where id = ${grantId}`;
  expect((await refresh({ refreshToken, agentId: party.agentId })).status).toBe(400);
  expect(await statusOf(grantId)).toBe('expired');
});
