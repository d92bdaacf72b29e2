import { readFileSync } from 'node:fs';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';

const PAGE = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8');
/** The lines of the page as variables, with a key in the place of its placeholder. */
function strictLines(): Record<string, string> {
  const [, block = ''] = /```env strict\n(.*?)```/s.exec(PAGE) ?? [];
  const lines = block.trim().split('\n');
  expect(lines).toHaveLength(5);
  return Object.fromEntries(
    lines.map((line) => {
      const [name = '', value = ''] = line.split('=');
      return [name, value.startsWith('<') ? 'k'.repeat(32) : value];
    }),
  );
}

const SEED_API_KEY = 'an_operators_key_with_32_characters_at_least';
const VERIFIER = 'v'.repeat(43);
const CHALLENGE = '7w_YNF9DSfIdPf_pRjSq646_kPr-2-o9NAl16JGghdM';
let service: TestService;
let loose: TestService;
let party: Party;
beforeAll(async () => {
  loose = await startService();
  service = await startService({ database: loose.database, env: { ...strictLines(), SEED_API_KEY } });
  // Nobody can sign up at the strict one: the party has signed up at the other replica, and acts here.
  party = await newParty({ ...service, signup: loose.signup });
});
afterAll(async () => {
  await service?.stop();
  await loose?.stop();
});

const PKCE = { codeChallenge: CHALLENGE, codeChallengeMethod: 'S256' };
const authorize = (of: TestService, fields: Record<string, unknown>) =>
  of.request('POST', '/v1/authorize', {
    key: party.key,
    body: {
      agentId: party.agentId,
      principalId: 'user_1',
      scopes: ['calendar:read'],
      expiresIn: '3d',
      ...fields,
    },
  });
const grant = async (of: TestService) => {
  const { authRequestId } = (await authorize(of, PKCE)).body;
  const { code } = (await of.request('POST', `/v1/consent/${authRequestId}/approve`)).body;
  const body = { code, agentId: party.agentId, codeVerifier: VERIFIER };
  return (await of.request('POST', '/v1/token', { key: party.key, body })).body;
};

test('REQUIRE_PKCE: a request without a challenge is refused, a code without its verifier too', async () => {
  expect([(await authorize(loose, {})).status, (await authorize(service, {})).status]).toEqual([201, 400]);
  const { authRequestId } = (await authorize(service, PKCE)).body;
  const { code } = (await service.request('POST', `/v1/consent/${authRequestId}/approve`)).body;
  const exchange = (fields: object) =>
    service.request('POST', '/v1/token', {
      key: party.key,
      body: { code, agentId: party.agentId, ...fields },
    });
  expect((await exchange({})).status).toBe(400);
  expect((await exchange({ codeVerifier: VERIFIER })).status).toBe(201);
});

test('GRANT_TOKEN_MAX_TTL and GRANT_TOKEN_TYPE: a token of five minutes and of the type of RFC 9068', async () => {
  const [strict, usual] = [await grant(service), await grant(loose)];
  const life = (token: string) => {
    const { iat = 0, exp = 0 } = decodeJwt(token);
    return exp - iat;
  };
  expect([life(strict.grantToken), life(usual.grantToken)]).toEqual([300, 24 * 3600]);
  const typeOf = (token: string) => decodeProtectedHeader(token).typ;
  expect([typeOf(strict.grantToken), typeOf(usual.grantToken)]).toEqual(['at+jwt', 'JWT']);
});

test('SIGNUP_ENABLED=false: nobody signs up, and the key of SEED_API_KEY works', async () => {
  const signUp = (of: TestService) => of.request('POST', '/v1/signup', { body: { name: 'Anybody' } });
  expect([(await signUp(loose)).status, (await signUp(service)).status]).toEqual([201, 404]);
  expect((await service.request('GET', '/v1/me', { key: SEED_API_KEY })).status).toBe(200);
});

test('METRICS_API_KEY: /metrics demands it', async () => {
  const scrape = async (headers: Record<string, string>) =>
    (await fetch(`${service.url}/metrics`, { headers })).status;
  expect(await scrape({})).toBe(401);
  expect(await scrape({ authorization: `Bearer ${strictLines()['METRICS_API_KEY']}` })).toBe(200);
});
