import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';

const HOUR = 3_600_000;
let service: TestService;
let party: Party;
beforeAll(async () => {
  service = await startService({
    env: { GRANT_TOKEN_MAX_TTL: '1h', GRANT_TOKEN_TYPE: 'at+jwt', MAX_DELEGATION_DEPTH: '4' },
  });
  party = await newParty(service);
});
afterAll(() => service.stop());

const ask = (method: string, path: string, body?: unknown) =>
  service.request(method, path, { key: party.key, body });
const refresh = async (refreshToken: string) =>
  (await ask('POST', '/v1/token/refresh', { refreshToken, agentId: party.agentId })).body;
const lifeOf = ({ expiresAt }: { expiresAt: string }) => Date.parse(expiresAt) - Date.now();
const rowOf = async (grantToken: string) => {
  const { jti = '' } = decodeJwt(grantToken);
  const [row] = await service.database.sql<
    { expires_at: Date }[]
  >`select expires_at from tokens where jti = ${jti}`;
  return row?.expires_at.toISOString();
};
/** What an hour and more does to a token: its row and `exp` are over, its grant is not. */
const outlive = async (grantToken: string) => {
  const { jti = '' } = decodeJwt(grantToken);
  await service.database.sql`update tokens set expires_at = now() where jti = ${jti}`;
  return jti;
};

test('a token lives an hour at most, its grant as long as was asked; answer, claim and row agree', async () => {
  const long = await party.grant({ expiresIn: '30d' });
  expect(lifeOf(long)).toBeGreaterThan(HOUR - 60_000);
  expect(lifeOf(long)).toBeLessThanOrEqual(HOUR);
  expect(Number(decodeJwt(long.grantToken).exp) * 1000).toBe(Date.parse(long.expiresAt));
  expect(await rowOf(long.grantToken)).toBe(long.expiresAt);
  const grant = (await ask('GET', `/v1/grants/${long.grantId}`)).body;
  expect(long.grantExpiresAt).toBe(grant.expiresAt);
  expect(Date.parse(grant.expiresAt) - Date.parse(grant.issuedAt)).toBeGreaterThan(30 * 24 * HOUR - 1000);
  const short = await party.grant({ expiresIn: '10m' });
  expect(short.expiresAt).toBe(short.grantExpiresAt);
});

test('a refresh gives a new life, until the grant ends', async () => {
  const { refreshToken, grantId, grantExpiresAt } = await party.grant({ expiresIn: '30d' });
  const { sql } = service.database;
  await sql`update tokens set expires_at = now() where grant_id = ${grantId}`;
  const second = await refresh(refreshToken);
  expect(lifeOf(second)).toBeGreaterThan(HOUR - 60_000);
  expect(second.grantExpiresAt).toBe(grantExpiresAt);
  const end = new Date(Math.floor(Date.now() / 1000) * 1000 + HOUR / 2);
  await sql`update grants set expires_at = ${end} where id = ${grantId}`;
  const last = await refresh(second.refreshToken);
  expect([last.expiresAt, last.grantExpiresAt]).toEqual([end.toISOString(), end.toISOString()]);
  expect(Number(decodeJwt(last.grantToken).exp) * 1000).toBe(end.getTime());
});

test("a delegated grant may live as long as its parent, although the parent's token does not", async () => {
  const parent = await party.grant({ expiresIn: '30d' });
  const child = await party.delegate(parent.grantToken, { expiresIn: '20d' });
  expect(Date.parse(child.grantExpiresAt) - Date.now()).toBeGreaterThan(19 * 24 * HOUR);
  expect(lifeOf(child)).toBeLessThanOrEqual(HOUR);
  expect(await rowOf(child.grantToken)).toBe(child.expiresAt);
  const longest = await party.delegate(parent.grantToken, { expiresIn: '40d' });
  expect(longest.grantExpiresAt).toBe(parent.grantExpiresAt);
});

test('an expired token of a living grant is expired everywhere, and the grant lives', async () => {
  const { grantToken, grantId, expiresAt } = await party.grant({ expiresIn: '30d' });
  const verify = async () => (await ask('POST', '/v1/tokens/verify', { token: grantToken })).body;
  const status = async (query: string) => (await ask('GET', `/v1/revocations/status?${query}`)).body;
  expect((await verify()).expiresAt).toBe(expiresAt);
  const jti = await outlive(grantToken);
  expect(await verify()).toEqual({ valid: false });
  expect((await ask('POST', '/v1/grants/verify', { token: grantToken })).body).toEqual({
    active: false,
    reason: 'expired',
  });
  expect(await status(`jti=${jti}`)).toEqual({ revoked: true, status: 'expired' });
  expect(await status(`grantId=${grantId}`)).toEqual({ revoked: false, status: 'active' });
});

test('online verification answers from what is stored, whatever the token says', async () => {
  const { grantToken, grantId } = await party.grant();
  await service.database.sql`update grants set scopes = '{narrow}', principal_id = 'stored'
    where id = ${grantId}`;
  const { body } = await ask('POST', '/v1/tokens/verify', { token: grantToken });
  expect(body).toMatchObject({ valid: true, grantId, scopes: ['narrow'], principal: 'stored' });
});

test('GRANT_TOKEN_TYPE is the type in the header', async () => {
  const { grantToken } = await party.grant();
  expect(decodeProtectedHeader(grantToken)).toMatchObject({ alg: 'RS256', typ: 'at+jwt' });
  expect(await party.verify(grantToken)).toBe(true);
});

test('act names every agent up to the root, after a delegation and after its refresh', async () => {
  const agents = [party.agentId];
  let current = await party.grant({ expiresIn: '2h' });
  for (let depth = 1; depth <= 4; depth++) {
    agents.unshift(await party.newAgent());
    current = await party.delegate(current.grantToken, { subAgentId: agents[0], expiresIn: '2h' });
  }
  const [own = '', ...above] = agents;
  const chain = above.reduceRight<object | undefined>(
    (act, agentId) => ({ sub: `did:grantex:${agentId}`, ...(act && { act }) }),
    undefined,
  );
  const claims = decodeJwt(current.grantToken);
  expect([claims['client_id'], claims['act']]).toEqual([own, chain]);
  const refreshed = await ask('POST', '/v1/token/refresh', {
    refreshToken: current.refreshToken,
    agentId: own,
  });
  const { iat: _iat, exp: _exp, jti: _jti, ...after } = decodeJwt(refreshed.body.grantToken);
  const { iat, exp, jti, ...before } = claims;
  expect(after).toEqual(before);
  expect(before).toEqual({
    iss: expect.any(String),
    sub: 'user_1',
    agt: `did:grantex:${own}`,
    dev: party.developerId,
    grnt: current.grantId,
    scp: ['calendar:read'],
    parentAgt: `did:grantex:${above[0]}`,
    parentGrnt: expect.stringMatching(/^grnt_/),
    delegationDepth: 4,
    client_id: own,
    scope: 'calendar:read',
    'urn:grantex:grant': {
      agent_did: `did:grantex:${own}`,
      developer_id: party.developerId,
      grant_id: current.grantId,
      parent_grant_id: claims['parentGrnt'],
      delegation_depth: 4,
    },
    act: chain,
  });
});

test('one spelling only: unused bits in the last character are not the token', async () => {
  const { grantToken } = await party.grant();
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const last = alphabet.indexOf(grantToken.slice(-1));
  // 256 bytes end with a character of which four bits are unused.
  expect(last % 16).toBe(0);
  for (const bit of [1, 8]) {
    const respelled = grantToken.slice(0, -1) + alphabet[last + bit];
    const bytes = (token: string) => Buffer.from(token.split('.')[2] ?? '', 'base64url');
    expect(bytes(respelled)).toEqual(bytes(grantToken));
    expect(await party.verify(respelled)).toBe(false);
  }
  expect(await party.verify(grantToken)).toBe(true);
});
