import { decodeJwt } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { type LogLine, startService, type TestService, waitFor } from '../support/service.ts';
import { basic, bearer, post } from './client.ts';

let service: TestService;
let party: Party;
beforeAll(async () => {
  service = await startService();
  party = await newParty(service);
});
afterAll(() => service.stop());

const revoke = async (token: string, authorization = bearer(party)) => {
  const { status, body } = await post(service, '/oauth/revoke', { token }, authorization);
  return [status, body];
};
/** The log lines with this name and member, once there is one. */
const lines = (msg: string, member: string, value: unknown): Promise<LogLine[]> =>
  waitFor(() => {
    const found = service.logs.filter((line) => line.msg === msg && line[member] === value);
    return found.length > 0 ? found : undefined;
  });
const DONE = [200, {}];
const revokedGrants = async () =>
  (await service.scrape()).value('grantex_grants_revoked_total') ?? Number.NaN;

test('a grant token goes alone, by its id, and is a log line', async () => {
  const { grantToken, refreshToken, grantId } = await party.grant();
  const before = await revokedGrants();
  expect(await revoke(grantToken, basic(party))).toEqual(DONE);
  expect(await party.verify(grantToken)).toBe(false);
  expect(await revoke(grantToken)).toEqual(DONE);
  const refreshed = await service.request('POST', '/v1/token/refresh', {
    key: party.key,
    body: { refreshToken, agentId: party.agentId },
  });
  expect(await party.verify(refreshed.body.grantToken)).toBe(true);
  expect(await revokedGrants()).toBe(before);
  const { jti: tokenId } = decodeJwt(grantToken);
  expect(await lines('token.revoked', 'tokenId', tokenId)).toEqual([
    expect.objectContaining({ level: 'info', grantId, developerId: party.developerId }),
  ]);
});

test('a refresh token goes with its grant and what was delegated from it, counted and told', async () => {
  const { grantToken, refreshToken, grantId } = await party.grant();
  const child = await party.delegate(grantToken);
  const before = await revokedGrants();
  expect(await revoke(refreshToken)).toEqual(DONE);
  expect(await party.verify(grantToken)).toBe(false);
  expect(await party.verify(child.grantToken)).toBe(false);
  expect(await revokedGrants()).toBe(before + 2);
  expect(await revoke(refreshToken)).toEqual(DONE);
  expect(await lines('grant.revoked', 'grantId', grantId)).toEqual([
    expect.objectContaining({ revokedBy: 'developer', cascadeCount: 1 }),
  ]);
});

test("200 changes nothing for what is unknown or another developer's", async () => {
  const stranger = await newParty(service);
  const { grantToken, refreshToken } = await party.grant();
  for (const token of [grantToken, refreshToken, 'ref_unknown', 'garbage', ''])
    expect(await revoke(token, bearer(stranger))).toEqual(DONE);
  expect(await party.verify(grantToken)).toBe(true);
});

test('400 and 401 in the form of OAuth', async () => {
  const none = await post(service, '/oauth/revoke', 'token_type_hint=refresh_token', bearer(party));
  expect([none.status, none.body]).toEqual([
    400,
    { error: 'invalid_request', error_description: 'token is required' },
  ]);
  const stranger = await post(service, '/oauth/revoke', { token: 'x' });
  expect([stranger.status, stranger.body]).toEqual([
    401,
    { error: 'invalid_client', error_description: 'A valid API key is required' },
  ]);
});

test('POST /v1/tokens/revoke is the same log line', async () => {
  const { grantToken, grantId } = await party.grant();
  const { jti } = decodeJwt(grantToken);
  const body = { jti };
  expect((await service.request('POST', '/v1/tokens/revoke', { key: party.key, body })).status).toBe(204);
  expect(await lines('token.revoked', 'tokenId', jti)).toEqual([
    expect.objectContaining({ grantId, developerId: party.developerId }),
  ]);
});

test('the metadata names what exists, under the issuer of the tokens', async () => {
  const { grantToken } = await party.grant();
  const { iss } = decodeJwt(grantToken);
  const { status, body, headers } = await service.request('GET', '/.well-known/oauth-authorization-server');
  expect([status, headers.get('cache-control')]).toEqual([200, 'public, max-age=60']);
  expect(body).toEqual({
    issuer: iss,
    jwks_uri: `${iss}/.well-known/jwks.json`,
    introspection_endpoint: `${iss}/oauth/introspect`,
    revocation_endpoint: `${iss}/oauth/revoke`,
    token_endpoint_auth_methods_supported: ['client_secret_basic'],
    introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'Bearer'],
    revocation_endpoint_auth_methods_supported: ['client_secret_basic'],
    service_documentation: `${iss}/openapi.json`,
  });
  const { port } = new URL(service.url);
  for (const url of [body.jwks_uri, body.service_documentation])
    expect((await fetch(`http://127.0.0.1:${port}${new URL(url).pathname}`)).status).toBe(200);
});
