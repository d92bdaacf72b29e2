import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { npmOutput } from '../support/command.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty, type Party } from '../support/flow.ts';
import { SECRET_KEY, startService, type TestService } from '../support/service.ts';
import { issuerOf, type PythonClients, startPythonClients } from './foreign/clients.ts';

let database: TestDatabase;
let service: TestService;
let party: Party;
let python: PythonClients;
beforeAll(async () => {
  database = await createTestDatabase();
  service = await startService({ database });
  party = await newParty(service);
  python = await startPythonClients(issuerOf(service), party.key);
});
afterAll(async () => {
  await python?.stop();
  await service?.stop();
  await database?.drop();
});

test('jose, PyJWT and grantex verify every token across a rotation from RS256 to ES256', async () => {
  const issuer = issuerOf(service);
  const jwks = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`), { cooldownDuration: 0 });
  const tokens: { token: string; alg: string }[] = [];
  const issue = async (alg: string) => {
    const { grantToken: token } = await party.grant({ scopes: ['tool:calendar:read'] });
    tokens.push({ token, alg });
  };
  const verifyAll = async () => {
    for (const { token, alg } of tokens) {
      const { payload, protectedHeader } = await jwtVerify(token, jwks, { issuer });
      expect([payload['dev'], protectedHeader.alg]).toEqual([party.developerId, alg]);
      expect(await python.decode(token, party.developerId)).toEqual({ alg, grantId: payload['grnt'] });
      expect(await python.enforce({ revocation_check: 'offline' }, token)).toMatchObject({ allowed: true });
    }
  };
  await issue('RS256');
  await verifyAll();

  const rotated = await npmOutput('keys', ['rotate'], {
    DATABASE_URL: database.url,
    SECRET_KEY,
    SIGNING_ALGORITHM: 'ES256',
  });
  // As if its minute of waiting were over: a service that starts now signs with it. Clients that have just fetched the keys
  // fetch them again after half a minute at the earliest.
  await database.sql`update signing_keys set signs_from = now() where kid = ${rotated.split(' ')[0] ?? ''}`;
  const { port } = new URL(service.url);
  await service.stop();
  service = await startService({ database, env: { PORT: port } });
  await issue('ES256');
  await python.later(60);
  await verifyAll();
  expect(tokens.map(({ token }) => decodeJwt(token).iss)).toEqual([issuer, issuer]);
});
