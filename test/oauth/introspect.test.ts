import { decodeJwt } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';
import { basic, bearer, post } from './client.ts';

let service: TestService;
let party: Party;
beforeAll(async () => {
  service = await startService();
  party = await newParty(service);
});
afterAll(() => service.stop());

const introspect = (token: string, authorization = bearer(party), more: Record<string, string> = {}) =>
  post(service, '/oauth/introspect', { token, ...more }, authorization);
const INACTIVE = { active: false };
const counted = async (result: 'valid' | 'invalid') =>
  (await service.scrape()).value('grantex_token_verifications_total', { result }) ?? Number.NaN;

test('a grant token: its stored state with the names of RFC 7662, by Bearer and by Basic', async () => {
  const { grantToken, grantId } = await party.grant({ audience: 'https://api.example.com', expiresIn: '2h' });
  const { iss, iat, exp, jti } = decodeJwt(grantToken);
  const before = await counted('valid');
  for (const authorization of [bearer(party), basic(party), basic(party, '')]) {
    const { status, body, headers } = await introspect(grantToken, authorization);
    expect([status, headers.get('cache-control')]).toEqual([200, 'no-store']);
    expect(body).toEqual({
      active: true,
      scope: 'calendar:read',
      client_id: party.agentId,
      token_type: 'Bearer',
      exp,
      iat,
      sub: 'user_1',
      aud: 'https://api.example.com',
      iss,
      jti,
      'urn:grantex:grant': {
        agent_did: `did:grantex:${party.agentId}`,
        developer_id: party.developerId,
        grant_id: grantId,
      },
    });
  }
  expect(await counted('valid')).toBe(before + 3);
});

test('a refresh token says that it is one, ends with its grant, and is inactive once used', async () => {
  const { refreshToken, grantId, grantExpiresAt, grantToken } = await party.grant({ expiresIn: '3d' });
  const { body } = await introspect(refreshToken, bearer(party), { token_type_hint: 'access_token' });
  expect(body).toEqual({
    active: true,
    scope: 'calendar:read',
    client_id: party.agentId,
    token_type: 'refresh_token',
    exp: Date.parse(grantExpiresAt) / 1000,
    iat: expect.closeTo(Number(decodeJwt(grantToken).iat), -1),
    sub: 'user_1',
    iss: decodeJwt(grantToken).iss,
    'urn:grantex:grant': {
      agent_did: `did:grantex:${party.agentId}`,
      developer_id: party.developerId,
      grant_id: grantId,
    },
  });
  await service.request('POST', '/v1/token/refresh', {
    key: party.key,
    body: { refreshToken, agentId: party.agentId },
  });
  expect((await introspect(refreshToken)).body).toEqual(INACTIVE);
});

test('a delegated grant names its parent and the chain, as its token does', async () => {
  const subAgentId = await party.newAgent();
  const parent = await party.grant();
  const child = await party.delegate(parent.grantToken, { subAgentId });
  const claims = decodeJwt(child.grantToken);
  const { body } = await introspect(child.grantToken);
  expect(body).toMatchObject({
    act: { sub: `did:grantex:${party.agentId}` },
    'urn:grantex:grant': { parent_grant_id: parent.grantId, delegation_depth: 1 },
  });
  expect(body).toMatchObject({
    act: claims['act'],
    scope: claims['scope'],
    'urn:grantex:grant': claims['urn:grantex:grant'],
  });
});

test('scopes with white space have no `scope`, which could not say them', async () => {
  const { grantToken } = await party.grant({ scopes: ['read all'] });
  const { body } = await introspect(grantToken);
  expect(body).toMatchObject({ active: true, client_id: party.agentId });
  expect(body).not.toHaveProperty('scope');
  expect(body).not.toHaveProperty(['urn:grantex:grant']);
});

test("inactive: garbage, revoked, expired, suspended, another developer's; each counted, with its reason in the log", async () => {
  const stranger = await newParty(service);
  const foreign = await stranger.grant();
  const revoked = await party.grant();
  const expired = await party.grant();
  const agentId = await party.newAgent();
  const suspended = await party.grant({ agentId });
  await service.request('DELETE', `/v1/grants/${revoked.grantId}`, { key: party.key });
  const { sql } = service.database;
  await sql`update tokens set expires_at = now() where grant_id = ${expired.grantId}`;
  const patch = { key: party.key, body: { status: 'suspended' } };
  await service.request('PATCH', `/v1/agents/${agentId}`, patch);
  const cases: [string, string][] = [
    ['garbage', 'malformed'],
    ['ref_unknown\0', 'malformed'],
    [`${revoked.grantToken.slice(0, -4)}AAAA`, 'bad_signature'],
    [revoked.grantToken, 'revoked'],
    [revoked.refreshToken, 'revoked'],
    [expired.grantToken, 'expired'],
    [suspended.grantToken, 'agent_suspended'],
    [suspended.refreshToken, 'agent_suspended'],
    [foreign.grantToken, 'other_developer'],
    [foreign.refreshToken, 'other_developer'],
  ];
  const before = await counted('invalid');
  const seen = service.logs.filter(({ msg }) => msg === 'token.verification_failed').length;
  for (const [token] of cases) expect((await introspect(token)).body).toEqual(INACTIVE);
  const lines = await service.logged('token.verification_failed', seen + cases.length);
  expect(lines.slice(seen).map(({ reason }) => reason)).toEqual(cases.map(([, reason]) => reason));
  expect(await counted('invalid')).toBe(before + cases.length);
  expect((await introspect(foreign.grantToken, basic(stranger))).body).toMatchObject({ active: true });
});

test('refusals have the form of OAuth: 400 for a bad form, 401 with both schemes for no key', async () => {
  const { grantToken } = await party.grant();
  for (const form of [
    '',
    'token_type_hint=access_token',
    'token=a&token=b',
    '{"token":"a"}',
    'token=%ff%00&token=',
  ]) {
    const { status, body } = await post(service, '/oauth/introspect', form, bearer(party));
    expect([form, status, body]).toEqual([
      form,
      400,
      { error: 'invalid_request', error_description: expect.any(String) },
    ]);
  }
  for (const authorization of [
    undefined,
    'Bearer nobody_has_this_key',
    basic({ key: 'nobody_has_it' }),
    'Basic !',
  ]) {
    const { status, body, headers } = await post(
      service,
      '/oauth/introspect',
      { token: grantToken },
      authorization,
    );
    expect([status, body]).toEqual([
      401,
      { error: 'invalid_client', error_description: 'A valid API key is required' },
    ]);
    expect(headers.get('www-authenticate')).toBe('Bearer, Basic realm="grantex"');
  }
});

test('a hundred questions at once each get their own answer', async () => {
  const stranger = await newParty(service);
  const [own, other] = [await party.grant(), await stranger.grant()];
  const asked = Array.from({ length: 100 }, (_, n) => ({ mine: n % 2 === 0, refresh: n % 4 < 2 }));
  const answers = await Promise.all(
    asked.map(({ mine, refresh }) => {
      const pair = mine ? own : other;
      return introspect(refresh ? pair.refreshToken : pair.grantToken);
    }),
  );
  expect(answers.map(({ body }) => body)).toEqual(
    asked.map(({ mine, refresh }) =>
      mine
        ? expect.objectContaining({ active: true, token_type: refresh ? 'refresh_token' : 'Bearer' })
        : INACTIVE,
    ),
  );
});

test('it counts as `verify`, and a used-up limit says so in the form of OAuth', async () => {
  const limited = await startService({
    env: { RATE_LIMIT_ENABLED: 'true', RATE_LIMITS: 'verify=2/60' },
    database: service.database,
  });
  try {
    const answers = [];
    for (let n = 0; n < 3; n++)
      answers.push(await post(limited, '/oauth/introspect', { token: 'x' }, bearer(party)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
    expect(answers[2]?.body).toEqual({
      error: 'temporarily_unavailable',
      error_description: expect.stringMatching(/^Rate limit exceeded, retry in \d+ seconds/),
    });
    expect(Number(answers[2]?.headers.get('retry-after'))).toBeGreaterThan(0);
  } finally {
    await limited.stop();
  }
});
