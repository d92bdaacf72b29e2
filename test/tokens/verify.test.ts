import { generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService, untilAvailable } from '../support/service.ts';

let service: TestService;
let party: Party;
beforeAll(async () => {
  service = await startService();
  party = await newParty(service);
});
afterAll(() => service.stop());

const verify = (token: unknown, key = party.key) =>
  service.request('POST', '/v1/tokens/verify', { key, body: { token } });
const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
const status = async (query: string, key = party.key) =>
  (await service.request('GET', `/v1/revocations/status?${query}`, { key })).body;

test('invalid, with its reason in the log and one count each', async () => {
  const { grantToken } = await party.grant();
  const claims = claimsOf(grantToken);
  const header = JSON.parse(Buffer.from(grantToken.split('.')[0] ?? '', 'base64url').toString());
  const { privateKey } = await generateKeyPair('RS256');
  const forged = await new SignJWT(claims).setProtectedHeader(header).sign(privateKey);
  const unknownKey = await new SignJWT(claims).setProtectedHeader({ ...header, kid: 'x' }).sign(privateKey);
  const hmac = await new SignJWT(claims)
    .setProtectedHeader({ ...header, alg: 'HS256' })
    .sign(Buffer.from(header.kid.padEnd(32)));
  const before =
    (await service.scrape()).value('grantex_token_verifications_total', { result: 'invalid' }) ?? 0;
  const cases: [string, string][] = [
    ['', 'malformed'],
    ['not.a.token', 'malformed'],
    [new UnsecuredJWT(claims).encode(), 'bad_signature'],
    [hmac, 'bad_signature'],
    [forged, 'bad_signature'],
    [unknownKey, 'unknown_key'],
  ];
  for (const [token] of cases) expect((await verify(token)).body).toEqual({ valid: false });
  const lines = await service.logged('token.verification_failed', cases.length);
  expect(lines.map(({ reason }) => reason)).toEqual(cases.map(([, reason]) => reason));
  expect((await service.scrape()).value('grantex_token_verifications_total', { result: 'invalid' })).toBe(
    before + cases.length,
  );
  expect((await verify(undefined)).status).toBe(400);
  expect((await verify(7)).status).toBe(400);
});

test('a revoked token, its grant alive; then its grant revoked; each status', async () => {
  const { grantToken, grantId, refreshToken } = await party.grant();
  const { jti } = claimsOf(grantToken);
  expect(await status(`jti=${jti}&grantId=${grantId}`)).toEqual({ revoked: false, status: 'active' });
  const revoke = () => service.request('POST', '/v1/tokens/revoke', { key: party.key, body: { jti } });
  expect((await revoke()).status).toBe(204);
  expect((await revoke()).status).toBe(404);
  expect(await party.verify(grantToken)).toBe(false);
  expect(await status(`jti=${jti}`)).toEqual({ revoked: true, status: 'revoked' });
  expect(await status(`grantId=${grantId}`)).toEqual({ revoked: false, status: 'active' });
  const fresh = await service.request('POST', '/v1/token/refresh', {
    key: party.key,
    body: { refreshToken, agentId: party.agentId },
  });
  expect(await party.verify(fresh.body.grantToken)).toBe(true);
  expect((await service.request('DELETE', `/v1/grants/${grantId}`, { key: party.key })).status).toBe(204);
  expect(await party.verify(fresh.body.grantToken)).toBe(false);
  expect(await status(`jti=${claimsOf(fresh.body.grantToken).jti}`)).toEqual({
    revoked: true,
    status: 'revoked',
  });
  expect(await status(`grantId=${grantId}`)).toEqual({ revoked: true, status: 'revoked' });
  const other = await party.grant();
  expect(await status(`jti=${jti}&grantId=${other.grantId}`)).toEqual({ revoked: true, status: 'unknown' });
  expect(await status('grantId=grnt_x')).toEqual({ revoked: true, status: 'unknown' });
  expect((await service.request('GET', '/v1/revocations/status', { key: party.key })).status).toBe(400);
});

test('an expired grant and a suspended agent', async () => {
  const agentId = await party.newAgent();
  const code = await party.consent({ agentId });
  const { grantToken, grantId } = await party.exchange(code, agentId);
  const patch = (value: string) =>
    service.request('PATCH', `/v1/agents/${agentId}`, { key: party.key, body: { status: value } });
  await patch('suspended');
  expect(await party.verify(grantToken)).toBe(false);
  expect(await status(`grantId=${grantId}`)).toEqual({ revoked: true, status: 'suspended' });
  await patch('active');
  expect(await party.verify(grantToken)).toBe(true);
  await service.database.sql`update grants set expires_at = now() where id = ${grantId}`;
  expect(await party.verify(grantToken)).toBe(false);
  expect(await status(`grantId=${grantId}`)).toEqual({ revoked: true, status: 'expired' });
});

test('another developer learns nothing', async () => {
  const stranger = await newParty(service);
  const { grantToken, grantId } = await party.grant();
  expect((await verify(grantToken, stranger.key)).body).toEqual({ valid: false });
  expect(await status(`grantId=${grantId}`, stranger.key)).toEqual({ revoked: true, status: 'unknown' });
  const body = { jti: claimsOf(grantToken).jti };
  expect((await service.request('POST', '/v1/tokens/revoke', { key: stranger.key, body })).status).toBe(404);
  const bad = await service.request('POST', '/v1/grants/verify', {
    key: stranger.key,
    body: { token: grantToken },
  });
  expect(bad.body).toEqual({ active: false, reason: 'not_found' });
});

test('questions that arrive together each get their own answer', async () => {
  const parties = await Promise.all([newParty(service), newParty(service), newParty(service)]);
  const pairs = await Promise.all(parties.map((one) => one.grant()));
  const asked = Array.from({ length: 90 }, (_, n) => ({ asker: n % 3, owner: Math.floor(n / 3) % 3 }));
  const answers = await Promise.all(
    asked.map(({ asker, owner }) =>
      untilAvailable(() => verify(pairs[owner]?.grantToken, parties[asker]?.key)),
    ),
  );
  expect(answers.map(({ body }) => body.valid)).toEqual(asked.map(({ asker, owner }) => asker === owner));
  expect((await verify(pairs[0]?.grantToken, 'gx_live_nobody_has_this_key')).status).toBe(401);
});

test('a rotated key is refused at once, and of 20 rotations with one key one succeeds', async () => {
  const one = await newParty(service);
  const { grantToken } = await one.grant();
  const answers = await Promise.all(
    Array.from({ length: 20 }, () =>
      untilAvailable(() => service.request('POST', '/v1/keys/rotate', { key: one.key })),
    ),
  );
  const winners = answers.filter(({ status }) => status === 200);
  expect(winners).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 401)).toHaveLength(19);
  expect((await verify(grantToken, one.key)).status).toBe(401);
  expect((await verify(grantToken, winners[0]?.body.apiKey)).body.valid).toBe(true);
});

test('POST /v1/grants/verify: claims, revoked, undecodable', async () => {
  const { grantToken, grantId } = await party.grant();
  const ask = (token: string) =>
    service.request('POST', '/v1/grants/verify', { key: party.key, body: { token } });
  expect((await ask(grantToken)).body).toEqual({ active: true, claims: claimsOf(grantToken) });
  await service.request('DELETE', `/v1/grants/${grantId}`, { key: party.key });
  expect((await ask(grantToken)).body).toEqual({ active: false, reason: 'revoked' });
  expect((await ask('garbage')).status).toBe(400);
});
