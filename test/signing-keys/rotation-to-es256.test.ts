import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { npmOutput } from '../support/command.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty, type Party } from '../support/flow.ts';
import { SECRET_KEY, startService, type TestService, waitFor } from '../support/service.ts';

const JWT_ISSUER = 'https://auth.test';
let database: TestDatabase;
let replicas: TestService[];
const start = (env: Record<string, string> = {}) => startService({ database, env: { JWT_ISSUER, ...env } });
beforeAll(async () => {
  database = await createTestDatabase();
  replicas = await Promise.all([start(), start()]);
});
afterAll(async () => {
  await Promise.all(replicas.map((replica) => replica.stop()));
  await database.drop();
});

const keyTypes = async (replica: TestService): Promise<string[]> => {
  const { body } = await replica.request('GET', '/.well-known/jwks.json');
  return body.keys.map(({ kty }: { kty: string }) => kty);
};

test('a rotation from RS256 to ES256 under two replicas: no verification fails, offline or online', async () => {
  const party: Party = await newParty(replicas[0] as TestService);
  // As a verifier does: it keeps the published keys, and fetches them again for a key id that it does not know.
  const verifierOf = ({ url }: TestService) =>
    createRemoteJWKSet(new URL('/.well-known/jwks.json', url), { cooldownDuration: 0 });
  const offline = replicas.map(verifierOf);
  const tokens: string[] = [];
  const verifyAll = async () => {
    for (const token of tokens) {
      for (const jwks of offline) await jwtVerify(token, jwks, { issuer: JWT_ISSUER });
      for (const replica of replicas) {
        const request = { key: party.key, body: { token } };
        const { body } = await replica.request('POST', '/v1/tokens/verify', request);
        expect(body).toMatchObject({ valid: true, grantId: decodeJwt(token)['grnt'] });
      }
    }
  };
  const issue = async (replica: TestService) => {
    const body = { code: await party.consent(), agentId: party.agentId };
    const { grantToken } = (await replica.request('POST', '/v1/token', { key: party.key, body })).body;
    tokens.push(grantToken);
    return decodeProtectedHeader(grantToken).alg;
  };
  for (const replica of replicas) expect(await issue(replica)).toBe('RS256');
  await verifyAll();

  const env = { DATABASE_URL: database.url, SECRET_KEY, SIGNING_ALGORITHM: 'ES256' };
  const [kid = ''] = (await npmOutput('keys', ['rotate'], env)).split(' ');
  // A key id that a replica does not know makes it look at once, instead of within ten seconds.
  const unknown = await new SignJWT({})
    .setProtectedHeader({ alg: 'ES256', kid })
    .sign(
      (await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])).privateKey,
    );
  for (const replica of replicas) {
    await waitFor(async () => {
      await replica.request('POST', '/v1/tokens/verify', { key: party.key, body: { token: unknown } });
      return (await keyTypes(replica)).length === 2 || undefined;
    });
    expect(await keyTypes(replica)).toEqual(['RSA', 'EC']);
    expect(await issue(replica)).toBe('RS256');
  }
  await verifyAll();

  // Two minutes later, for a replica that starts then. The others still sign with the key that they know.
  await database.sql`update signing_keys set signs_from = now() where kid = ${kid}`;
  const newest = await start();
  replicas.push(newest);
  expect(await issue(newest)).toBe('ES256');
  expect(await issue(replicas[0] as TestService)).toBe('RS256');
  offline.push(verifierOf(newest));
  await verifyAll();
  // One spelling only, and one algorithm for each key.
  const [head = '', claims = '', signature = ''] = (tokens.at(-2) ?? '').split('.');
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const respelled = `${signature.slice(0, -1)}${alphabet[alphabet.indexOf(signature.slice(-1)) + 1]}`;
  expect(Buffer.from(respelled, 'base64url')).toEqual(Buffer.from(signature, 'base64url'));
  const otherAlg = Buffer.from(JSON.stringify({ alg: 'RS256', typ: 'JWT', kid })).toString('base64url');
  for (const token of [`${head}.${claims}.${respelled}`, `${otherAlg}.${claims}.${signature}`])
    expect(await party.verify(token)).toBe(false);
});

test('with SIGNING_ALGORITHM=ES256 an empty database gets a P-256 key from the start', async () => {
  const service = await startService({ env: { SIGNING_ALGORITHM: 'ES256' } });
  try {
    const party = await newParty(service);
    const { grantToken } = await party.grant();
    expect(decodeProtectedHeader(grantToken)).toMatchObject({ alg: 'ES256', typ: 'JWT' });
    expect(await keyTypes(service)).toEqual(['EC']);
    expect(await party.verify(grantToken)).toBe(true);
    const child = await party.delegate(grantToken);
    expect(await party.verify(child.grantToken)).toBe(true);
  } finally {
    await service.stop();
  }
});
