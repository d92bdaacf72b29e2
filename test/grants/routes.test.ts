import { decodeJwt } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party, type TokenPair } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';

const DEPTH = 10;

let service: TestService;
let party: Party;
beforeAll(async () => {
  service = await startService({ env: { MAX_DELEGATION_DEPTH: String(DEPTH) } });
  party = await newParty(service);
});
afterAll(() => service.stop());

const get = (path: string, key = party.key) => service.request('GET', path, { key });
const post = (path: string, body: unknown, key = party.key) => service.request('POST', path, { key, body });
const remove = async (grantId: string) =>
  (await service.request('DELETE', `/v1/grants/${grantId}`, { key: party.key })).status;
const verify = (token: string, key?: string) => post('/v1/grants/verify', { token }, key);
const reasonOf = async (token: string, key?: string) => (await verify(token, key)).body;
const endGrant = (grantId: string) =>
  service.database.sql`update grants set expires_at = now() where id = ${grantId}`;
const revokedTotal = async () => (await service.scrape()).value('grantex_grants_revoked_total') ?? Number.NaN;

test('a grant as it is told: consented, delegated, revoked, expired', async () => {
  const pair = await party.grant({ principalId: 'ü', scopes: ['b', 'a'], expiresIn: '2h' });
  const own = { principalId: 'ü', agentId: party.agentId, agentDid: `did:grantex:${party.agentId}` };
  const { body } = await get(`/v1/grants/${pair.grantId}`);
  expect(body).toEqual({
    ...own,
    id: pair.grantId,
    grantId: pair.grantId,
    developerId: party.developerId,
    scopes: ['b', 'a'],
    status: 'active',
    issuedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    expiresAt: pair.expiresAt,
    delegationDepth: 0,
  });
  expect(Date.parse(body.expiresAt) - Math.floor(Date.parse(body.issuedAt) / 1000) * 1000).toBe(7_200_000);

  const child = await party.delegate(pair.grantToken, { scopes: ['a'] });
  expect((await get(`/v1/grants/${child.grantId}`)).body).toMatchObject({
    ...own,
    scopes: ['a'],
    parentGrantId: pair.grantId,
    delegationDepth: 1,
  });
  await endGrant(child.grantId);
  expect((await get(`/v1/grants/${child.grantId}`)).body.status).toBe('expired');
  const before = Date.now();
  await remove(pair.grantId);
  const revoked = (await get(`/v1/grants/${pair.grantId}`)).body;
  expect(revoked).toEqual({ ...body, status: 'revoked', revokedAt: expect.any(String) });
  expect(Date.parse(revoked.revokedAt)).toBeGreaterThanOrEqual(before);
});

test('a list: newest first, 20 a page, at most 100, the same grant never on two pages', async () => {
  const one = await newParty(service);
  const { grantId } = await one.grant();
  // Many of one moment: their order must be the same on every page.
  await service.database.sql`
    insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at,
      root_grant_id, delegation_depth)
    select 'grnt_' || n, developer_id, agent_id, principal_id, scopes, status, issued_at - make_interval(mins => n / 50),
      expires_at, 'grnt_' || n, 0
    from grants, generate_series(50, 169) n where grants.id = ${grantId}`;
  const list = async (query: string) => (await get(`/v1/grants?${query}`, one.key)).body;
  const first = await list('');
  expect([first.total, first.page, first.pageSize, first.grants.length]).toEqual([121, 1, 20, 20]);
  expect(first.grants[0].id).toBe(grantId);
  const capped = await list('pageSize=101');
  expect([capped.pageSize, capped.grants.length]).toEqual([100, 100]);
  const pages = await Promise.all([1, 2, 3, 4, 5].map((page) => list(`pageSize=30&page=${page}`)));
  expect(pages.map(({ grants }) => grants.length)).toEqual([30, 30, 30, 30, 1]);
  const all = pages.flatMap(({ grants }) => grants);
  expect(new Set(all.map(({ id }) => id)).size).toBe(121);
  const times = all.map(({ issuedAt }) => Date.parse(issuedAt));
  expect(times).toEqual(times.toSorted((a, b) => b - a));
  expect(await list('page=99')).toEqual({ grants: [], total: 121, page: 99, pageSize: 20 });
});

test.each([
  'agentId=x',
  'agentId=',
  'agentId=grnt_1',
  `agentId=${'x'.repeat(2000)}`,
  'agentId=%00',
  'agentId=%27%20or%201%3D1',
  'principalId=',
  'principalId=%25',
  `principalId=${'x'.repeat(2000)}`,
])('200 and an empty list for ?%s', async (query) => {
  const { status, body } = await get(`/v1/grants?${query}`);
  expect([status, body]).toEqual([200, { grants: [], total: 0, page: 1, pageSize: 20 }]);
});

test.each(['grnt_x', 'x', '%27', '%00', 'x'.repeat(2000)])('404 for the id %s', async (id) => {
  for (const method of ['GET', 'DELETE']) {
    const { status, body } = await service.request(method, `/v1/grants/${id}`, { key: party.key });
    expect([status, body.code]).toEqual([404, 'NOT_FOUND']);
  }
});

test('a tree of eleven levels falls with its root: 204, then 404; each token and refresh token is dead', async () => {
  const chain = [await party.grant()];
  const twigs: TokenPair[] = [];
  for (let depth = 1; depth <= DEPTH; depth++) {
    const parent = chain[depth - 1]?.grantToken ?? '';
    chain.push(await party.delegate(parent));
    twigs.push(await party.delegate(parent));
  }
  const other = await party.grant();
  const [root, branch] = chain as [TokenPair, TokenPair];
  const before = await revokedTotal();
  const twig = twigs.pop() as TokenPair;
  expect(await remove(twig.grantId)).toBe(204);
  expect(await party.verify(chain[DEPTH]?.grantToken ?? '')).toBe(true);
  expect(await remove(root.grantId)).toBe(204);
  for (const { grantToken, refreshToken, grantId } of [...chain, ...twigs, twig]) {
    expect(await party.verify(grantToken)).toBe(false);
    expect(await reasonOf(grantToken)).toEqual({ active: false, reason: 'revoked' });
    const refreshed = await post('/v1/token/refresh', { refreshToken, agentId: party.agentId });
    expect(refreshed.status).toBe(400);
    expect(await remove(grantId)).toBe(404);
  }
  expect(await party.verify(other.grantToken)).toBe(true);
  expect(await revokedTotal()).toBe(before + 2 * DEPTH + 1);
  const lines = (await service.logged('grant.revoked')).filter(({ grantId }) =>
    [root.grantId, twig.grantId, branch.grantId].includes(String(grantId)),
  );
  expect(lines.map(({ grantId, revokedBy, cascadeCount }) => [grantId, revokedBy, cascadeCount])).toEqual([
    [twig.grantId, 'developer', 0],
    [root.grantId, 'developer', 2 * DEPTH - 1],
  ]);
});

test('of revocations at the same moment one gets 204, and the grant is counted and logged once', async () => {
  const { grantId } = await party.grant();
  const before = await revokedTotal();
  const answers = await Promise.all(Array.from({ length: 8 }, () => remove(grantId)));
  expect(answers.sort()).toEqual([204, ...Array(7).fill(404)]);
  expect(await revokedTotal()).toBe(before + 1);
  expect((await service.logged('grant.revoked')).filter((line) => line['grantId'] === grantId)).toHaveLength(
    1,
  );
});

test('an expired grant can still be revoked', async () => {
  const { grantId, grantToken } = await party.grant();
  await endGrant(grantId);
  expect(await remove(grantId)).toBe(204);
  expect((await get(`/v1/grants/${grantId}`)).body.status).toBe('revoked');
  expect(await reasonOf(grantToken)).toEqual({ active: false, reason: 'revoked' });
});

/** Each way to end a grant: what happens, and what the grant is called in the log. */
test.each<[string, (pair: TokenPair, code: string, agentId: string) => Promise<unknown>]>([
  ['developer', ({ grantId }) => remove(grantId)],
  ['code_replay', (_pair, code, agentId) => post('/v1/token', { code, agentId })],
  [
    'refresh_reuse',
    async ({ refreshToken }, _code, agentId) => {
      await post('/v1/token/refresh', { refreshToken, agentId });
      await post('/v1/token/refresh', { refreshToken, agentId });
    },
  ],
  [
    'agent_deleted',
    (_pair, _code, agentId) => service.request('DELETE', `/v1/agents/${agentId}`, { key: party.key }),
  ],
])(
  'revokedBy %s takes the descendants, is logged with their number and kept in the rows',
  async (by, end) => {
    const agentId = await party.newAgent();
    const code = await party.consent({ agentId });
    const pair = await party.exchange(code, agentId);
    const child = await party.delegate(pair.grantToken);
    const leaf = await party.delegate(child.grantToken);
    const before = await revokedTotal();
    await end(pair, code, agentId);
    expect(await revokedTotal()).toBe(before + 3);
    const line = await waitFor(() =>
      service.logs.find(({ msg, grantId }) => msg === 'grant.revoked' && grantId === pair.grantId),
    );
    expect(line).toMatchObject({ level: 'info', revokedBy: by, cascadeCount: 2 });
    for (const { grantToken } of [pair, child, leaf]) expect(await party.verify(grantToken)).toBe(false);
    const rows = await service.database
      .sql`select revoked_by as by from grants where id in ${service.database.sql([child.grantId, leaf.grantId])}`;
    expect(rows).toEqual([{ by }, { by }]);
  },
);

test('verify: active with the claims of the token', async () => {
  const { grantToken } = await party.grant({ audience: 'https://api.example.com' });
  const { status, body } = await verify(grantToken);
  expect([status, body]).toEqual([200, { active: true, claims: decodeJwt(grantToken) }]);
  expect(Object.keys(body.claims).sort()).toEqual(
    [
      ...['agt', 'aud', 'dev', 'exp', 'grnt', 'iat', 'iss', 'jti', 'scp', 'sub'],
      ...['client_id', 'scope', 'urn:grantex:grant'],
    ].sort(),
  );
});

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
test.each<[string, string, () => Promise<string>]>([
  [
    'revoked',
    'a revoked grant',
    async () => {
      const { grantToken, grantId } = await party.grant();
      await remove(grantId);
      return grantToken;
    },
  ],
  [
    'revoked',
    'a revoked token',
    async () => {
      const { grantToken } = await party.grant();
      await post('/v1/tokens/revoke', { jti: decodeJwt(grantToken).jti });
      return grantToken;
    },
  ],
  [
    'revoked',
    'a grant of a suspended agent',
    async () => {
      const agentId = await party.newAgent();
      const { grantToken } = await party.grant({ agentId });
      await service.request('PATCH', `/v1/agents/${agentId}`, {
        key: party.key,
        body: { status: 'suspended' },
      });
      return grantToken;
    },
  ],
  [
    'expired',
    'a grant that has run out',
    async () => {
      const { grantToken, grantId } = await party.grant();
      await endGrant(grantId);
      return grantToken;
    },
  ],
  [
    'expired',
    'a token that has run out',
    async () => {
      const { grantToken } = await party.grant({ expiresIn: '1s' });
      await waitFor(() => Date.now() / 1000 >= (decodeJwt(grantToken).exp ?? 0) || undefined);
      return grantToken;
    },
  ],
  [
    'not_found',
    "another developer's token",
    async () => (await (await newParty(service)).grant()).grantToken,
  ],
  [
    'not_found',
    'a token whose grant went with its agent',
    async () => {
      const agentId = await party.newAgent();
      const { grantToken } = await party.grant({ agentId });
      await service.request('DELETE', `/v1/agents/${agentId}`, { key: party.key });
      return grantToken;
    },
  ],
  [
    'not_found',
    'an altered token',
    async () => {
      const [head, , signature] = (await party.grant()).grantToken.split('.');
      return [head, part({ grnt: 'grnt_other' }), signature].join('.');
    },
  ],
  ['not_found', 'a token without signature', async () => `${part({ alg: 'none' })}.${part({ sub: 'x' })}.`],
])('verify: %s for %s', async (reason, _what, make) => {
  const { status, body } = await verify(await make());
  expect([status, body]).toEqual([200, { active: false, reason }]);
});

test.each([{ token: 'garbage' }, { token: 'a.b.c' }, { token: '' }, { token: 7 }, {}])(
  'verify: 400 for %j',
  async (body) => {
    const answer = await post('/v1/grants/verify', body);
    expect([answer.status, answer.body.code]).toEqual([400, 'BAD_REQUEST']);
  },
);
