import { hkdfSync } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, SignJWT, UnsecuredJWT } from 'jose';
import { expect, test } from 'vitest';
import { createSessionTokens } from '../../src/principal-sessions/session-token.ts';

const ISSUER = 'https://auth.example.com';
const AUDIENCE = `${ISSUER}/v1/principal`;
const SECRET = Buffer.alloc(32, 7);
const PRINCIPAL = { developerId: 'dev_1', principalId: 'user 1 ✓' };
const BEGIN = Date.parse('2026-03-04T05:06:07.890Z');

const tokens = (now = { ms: BEGIN }, { secretKey = SECRET, issuer = ISSUER } = {}) =>
  createSessionTokens({ secretKey, issuer: () => issuer, clock: { now: () => now.ms } });
const UNAUTHORIZED = {
  refusal: { code: 'UNAUTHORIZED', message: 'A valid session token is required' },
};

test('says of itself what it is: type, audience, issuer, principal, developer, whole seconds', async () => {
  const { token, expiresAt } = await tokens().issue(PRINCIPAL, 3600);
  expect(decodeProtectedHeader(token)).toEqual({ alg: 'HS256', typ: 'principal-session+jwt' });
  const iat = Date.parse('2026-03-04T05:06:07Z') / 1000;
  expect(decodeJwt(token)).toEqual({
    iss: ISSUER,
    aud: AUDIENCE,
    sub: PRINCIPAL.principalId,
    dev: PRINCIPAL.developerId,
    iat,
    exp: iat + 3600,
  });
  expect(expiresAt).toEqual(new Date('2026-03-04T06:06:07Z'));
});

test('is read until the second in which it expires, on every replica with the same secret', async () => {
  const now = { ms: BEGIN };
  const { token, expiresAt } = await tokens(now).issue(PRINCIPAL, 60);
  const replica = tokens(now);
  now.ms = expiresAt.getTime() - 1;
  expect(await replica.read(token)).toMatchObject({ value: PRINCIPAL });
  now.ms = expiresAt.getTime();
  expect(await replica.read(token)).toMatchObject(UNAUTHORIZED);
});

test('is not read by a service with another secret or another issuer', async () => {
  const { token } = await tokens().issue(PRINCIPAL, 60);
  const now = { ms: BEGIN };
  for (const other of [
    tokens(now, { secretKey: Buffer.alloc(32, 8) }),
    tokens(now, { issuer: 'https://other.example.com' }),
  ])
    expect(await other.read(token)).toMatchObject(UNAUTHORIZED);
});

const CLAIMS = {
  iss: ISSUER,
  aud: AUDIENCE,
  sub: 'user_1',
  dev: 'dev_1',
  iat: Math.floor(BEGIN / 1000),
  exp: Math.floor(BEGIN / 1000) + 60,
};
const KEY = new Uint8Array(hkdfSync('sha256', SECRET, '', 'grantex principal session', 32));
const TYPE = 'principal-session+jwt';
const sign = (claims: object, header: object = {}, key = KEY) =>
  new SignJWT({ ...claims }).setProtectedHeader({ alg: 'HS256', typ: TYPE, ...header }).sign(key);

test('the helper of the next test makes tokens that are read', async () => {
  expect(await tokens().read(await sign(CLAIMS))).toMatchObject({
    value: { developerId: 'dev_1', principalId: 'user_1' },
  });
});

test.each<[string, () => Promise<string> | string]>([
  ['the type of a grant token', () => sign(CLAIMS, { typ: 'JWT' })],
  ['no type', () => sign(CLAIMS, { typ: undefined })],
  ['another audience', () => sign({ ...CLAIMS, aud: ISSUER })],
  ['no audience', () => sign({ ...CLAIMS, aud: undefined })],
  ['no expiry', () => sign({ ...CLAIMS, exp: undefined })],
  ['no principal', () => sign({ ...CLAIMS, sub: undefined })],
  ['no developer', () => sign({ ...CLAIMS, dev: undefined })],
  ['a developer that is no text', () => sign({ ...CLAIMS, dev: 1 })],
  ['the secret itself as the key', () => sign(CLAIMS, {}, new Uint8Array(SECRET))],
  [
    'another algorithm',
    () => sign(CLAIMS, { alg: 'HS512' }, new Uint8Array(hkdfSync('sha256', SECRET, '', 'x', 64))),
  ],
  ['no signature', () => new UnsecuredJWT(CLAIMS).setIssuer(ISSUER).encode()],
  ['a cut signature', async () => (await sign(CLAIMS)).slice(0, -3)],
  ['a blank in it', async () => (await sign(CLAIMS)).replace('.', ' .')],
  ['garbage', () => 'a.b.c'],
  ['an API key', () => 'gx_live_abc'],
  ['nothing', () => ''],
])('refused: %s', async (_case, make) => {
  expect(await tokens().read(await make())).toMatchObject(UNAUTHORIZED);
});
