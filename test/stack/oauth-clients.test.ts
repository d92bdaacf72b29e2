import { decodeJwt } from 'jose';
import * as oauth from 'oauth4webapi';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party, type TokenPair } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';
import { issuerOf, type PythonClients, startPythonClients } from './foreign/clients.ts';

let service: TestService;
let party: Party;
let stranger: Party;
let python: PythonClients;
let server: oauth.AuthorizationServer;
/** The network is the loopback interface here. */
const insecure = { [oauth.allowInsecureRequests]: true };
const client = { client_id: 'calendar-api' };
beforeAll(async () => {
  service = await startService();
  [party, stranger] = await Promise.all([newParty(service), newParty(service)]);
  python = await startPythonClients(issuerOf(service), party.key);
  const issuer = new URL(issuerOf(service));
  const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure });
  server = await oauth.processDiscoveryResponse(issuer, found);
});
afterAll(async () => {
  await python?.stop();
  await service?.stop();
});

const authentication = () => oauth.ClientSecretBasic(party.key);
/** oauth4webapi: introspection at the discovered endpoint. */
const introspect = async (token: string, auth = authentication()) =>
  oauth.processIntrospectionResponse(
    server,
    client,
    await oauth.introspectionRequest(server, client, auth, token, insecure),
  );
/** oauth4webapi: revocation at the discovered endpoint. It throws what is not a success. */
const revoke = async (token: string) =>
  oauth.processRevocationResponse(
    await oauth.revocationRequest(server, client, authentication(), token, insecure),
  );
const refresh = async ({ refreshToken }: TokenPair) =>
  (
    await service.request('POST', '/v1/token/refresh', {
      key: party.key,
      body: { refreshToken, agentId: party.agentId },
    })
  ).status;

test('oauth4webapi discovers the service and introspects its tokens', async () => {
  expect(server.issuer).toBe(issuerOf(service));
  const { grantToken, grantId, refreshToken } = await party.grant();
  expect(await introspect(grantToken)).toMatchObject({
    active: true,
    scope: 'calendar:read',
    client_id: party.agentId,
    jti: decodeJwt(grantToken).jti,
    'urn:grantex:grant': { grant_id: grantId },
  });
  expect(await introspect(refreshToken)).toMatchObject({ active: true, token_type: 'refresh_token' });
  const { grantToken: foreign } = await stranger.grant();
  for (const token of ['garbage', foreign]) expect(await introspect(token)).toEqual({ active: false });
});

test('oauth4webapi understands a refusal of its credentials', async () => {
  const { grantToken } = await party.grant();
  const refused = await introspect(grantToken, oauth.ClientSecretBasic('nobody_has_this_key')).catch(
    (error: unknown) => error,
  );
  expect(refused).toBeInstanceOf(oauth.WWWAuthenticateChallengeError);
  expect(refused).toMatchObject({ status: 401 });
});

test('oauth4webapi revokes: a grant token alone, a refresh token with its grant, nothing of anybody else', async () => {
  const one = await party.grant();
  await revoke(one.grantToken);
  expect([await introspect(one.grantToken), await refresh(one)]).toEqual([{ active: false }, 201]);
  const other = await party.grant();
  await revoke(other.refreshToken);
  expect([await introspect(other.grantToken), await refresh(other)]).toEqual([{ active: false }, 400]);
  const foreign = await stranger.grant();
  await revoke(foreign.grantToken);
  await revoke(foreign.refreshToken);
  expect(await stranger.verify(foreign.grantToken)).toBe(true);
});

test('Authlib protects a resource server by introspection', async () => {
  const { grantToken, grantId } = await party.grant();
  expect(await python.protected(grantToken, ['calendar:read'])).toMatchObject({
    active: true,
    sub: 'user_1',
    'urn:grantex:grant': { grant_id: grantId },
  });
  await expect(python.protected(grantToken, ['calendar:write'])).rejects.toThrow('InsufficientScopeError');
  const { grantToken: foreign } = await stranger.grant();
  for (const token of ['garbage', foreign])
    await expect(python.protected(token, [])).rejects.toThrow('InvalidTokenError');
  expect(await python.revoke(grantToken)).toBe(200);
  await expect(python.protected(grantToken, [])).rejects.toThrow('InvalidTokenError');
});
