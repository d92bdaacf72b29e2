import { createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { CompactSign, exportJWK, generateKeyPair, type JWK } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';

let service: TestService;
let party: Party;
let attacker: Server;
let attackerUrl: string;
/** Requests to the address that forged tokens name. */
let fetched = 0;
beforeAll(async () => {
  service = await startService();
  party = await newParty(service);
  attacker = createServer((_request, response) => {
    fetched += 1;
    response.end('{"keys":[]}');
  }).listen(0, '127.0.0.1');
  await once(attacker, 'listening');
  const address = attacker.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  attackerUrl = `http://127.0.0.1:${address.port}/keys`;
});
afterAll(async () => {
  attacker?.close();
  await service?.stop();
});

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const decode = (part = '') => JSON.parse(Buffer.from(part, 'base64url').toString());
/** What each way to ask says of a token: it must be invalid by all of them. */
async function saidOf(token: string): Promise<unknown[]> {
  const ask = async (path: string, body: Record<string, unknown>) =>
    (await service.request('POST', path, { key: party.key, body })).body;
  const form = new URLSearchParams({ token }).toString();
  const introspected = await service.request('POST', '/oauth/introspect', {
    key: party.key,
    body: form,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  const delegate = { parentGrantToken: token, subAgentId: party.agentId, scopes: ['calendar:read'] };
  const { code } = await ask('/v1/grants/delegate', delegate);
  return [await ask('/v1/tokens/verify', { token }), introspected.body, code];
}
const REFUSED = [{ valid: false }, { active: false }, 'BAD_REQUEST'];

test('a token that brings its own key, or says where it is, is not believed, and nothing is fetched', async () => {
  const { grantToken } = await party.grant();
  const [head, claims = ''] = grantToken.split('.');
  const header = decode(head);
  const { privateKey, publicKey } = await generateKeyPair('RS256');
  const jwk = { ...(await exportJWK(publicKey)), kid: header.kid, alg: 'RS256' };
  const extras: Record<string, unknown>[] = [
    { jwk },
    { jku: attackerUrl },
    { x5u: attackerUrl },
    { jku: attackerUrl, kid: 'theirs' },
    { kid: `../../../${attackerUrl}` },
    { kid: "' or '1'='1" },
  ];
  for (const extra of extras) {
    const signed = await new CompactSign(Buffer.from(claims, 'base64url'))
      .setProtectedHeader({ ...header, ...extra })
      .sign(privateKey);
    expect([extra, ...(await saidOf(signed))]).toEqual([extra, ...REFUSED]);
  }
  // RFC 8725 §2.1: the public key, which everybody has, as the secret of an HMAC.
  const { body } = await service.request('GET', '/.well-known/jwks.json');
  const published: JWK = body.keys[0];
  const key = createPublicKey({ key: { ...published }, format: 'jwk' });
  for (const secret of [
    key.export({ type: 'spki', format: 'pem' }),
    JSON.stringify(published),
    String(published.n),
  ]) {
    const signed = await new CompactSign(Buffer.from(claims, 'base64url'))
      .setProtectedHeader({ ...header, alg: 'HS256' })
      .sign(Buffer.from(secret));
    expect(await saidOf(signed)).toEqual(REFUSED);
  }
  expect(fetched).toBe(0);
  expect(await party.verify(grantToken)).toBe(true);
});

test('parts of real tokens put together anew are no token', async () => {
  const [one, other] = [await party.grant(), await party.grant({ scopes: ['calendar:read', 'mail:send'] })];
  const [head = '', claims = '', signature = ''] = one.grantToken.split('.');
  const [, otherClaims = ''] = other.grantToken.split('.');
  const header = decode(head);
  const more = { ...decode(claims), scp: ['*'], scope: '*' };
  const forged = [
    `${head}.${otherClaims}.${signature}`,
    `${head}.${encode(more)}.${signature}`,
    `${encode({ ...header, alg: 'none' })}.${claims}.`,
    `${encode({ ...header, alg: 'nOnE' })}.${claims}.${signature}`,
    ...['RS384', 'PS256', 'ES256', 'HS256', 'EdDSA'].map(
      (alg) => `${encode({ ...header, alg })}.${claims}.${signature}`,
    ),
    `${encode({ ...header, crit: ['b64'], b64: false })}.${claims}.${signature}`,
    `${encode({ ...header, typ: 'principal-session+jwt' })}.${claims}.${signature}`,
    `${head}.${claims}.`,
    `${head}.${claims}`,
    `${head}.${claims}.${signature}.${signature}`,
  ];
  for (const token of forged) expect([token, ...(await saidOf(token))]).toEqual([token, ...REFUSED]);
});

test('one line is one line, whatever callers write into what is logged', async () => {
  // Unicode has more ends of lines than JSON escapes. Node's reader of lines, which the tests use, knows two of them.
  const principalId = 'anna"}\n{"msg":"one"}\r\n\u2028{"msg":"two"}\u2029{"msg":"three"}\u0085{"msg":"four"}';
  const { grantId } = await party.grant({ principalId, scopes: ['a:b\u2028{"msg":"five"}'] });
  await service.request('DELETE', `/v1/grants/${grantId}`, { key: party.key });
  const [line] = await service.logged('grant.revoked');
  expect(line).toMatchObject({ grantId });
  expect(service.logs.filter(({ principalId: named }) => named === principalId).length).toBeGreaterThan(0);
  const raw = service.stdout.join('');
  expect(raw).toContain('\\u2028{');
  expect(raw).not.toMatch(/[\u0085\u2028\u2029]/);
});
