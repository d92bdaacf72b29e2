import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';

let service: TestService;
let party: Party;
beforeAll(async () => {
  service = await startService();
  party = await newParty(service);
});
afterAll(() => service.stop());

test('authorize → consent → exchange → verify → refresh → delegate → revoke, each answer as the contract has it', async () => {
  const { key, agentId } = party;
  const code = await party.consent({ expiresIn: '2h', audience: 'https://api.example.com' });
  const exchanged = await service.request('POST', '/v1/token', { key, body: { code, agentId } });
  expect(exchanged.status).toBe(201);
  const { grantToken, grantId, refreshToken } = exchanged.body;
  expect(exchanged.body).toEqual({
    grantToken: expect.any(String),
    expiresAt: expect.stringMatching(/Z$/),
    grantExpiresAt: exchanged.body.expiresAt,
    scopes: ['calendar:read'],
    refreshToken: expect.stringMatching(/^ref_/),
    grantId: expect.stringMatching(/^grnt_/),
  });

  const jwks = createRemoteJWKSet(new URL(`${service.url}/.well-known/jwks.json`));
  const { payload } = await jwtVerify(grantToken, jwks);
  expect(decodeProtectedHeader(grantToken)).toEqual({ alg: 'RS256', typ: 'JWT', kid: expect.any(String) });
  expect(payload).toEqual({
    iss: expect.stringMatching(/^http:\/\/localhost:\d+$/),
    sub: 'user_1',
    aud: 'https://api.example.com',
    agt: `did:grantex:${agentId}`,
    dev: party.developerId,
    grnt: grantId,
    scp: ['calendar:read'],
    client_id: agentId,
    scope: 'calendar:read',
    'urn:grantex:grant': {
      agent_did: `did:grantex:${agentId}`,
      developer_id: party.developerId,
      grant_id: grantId,
    },
    iat: expect.any(Number),
    exp: Date.parse(exchanged.body.expiresAt) / 1000,
    jti: expect.stringMatching(/^tok_/),
  });
  // It may have been signed in the second after that of the grant.
  expect([7200, 7199]).toContain(Number(payload.exp) - Number(payload.iat));

  const verified = await service.request('POST', '/v1/tokens/verify', { key, body: { token: grantToken } });
  expect(verified.body).toEqual({
    valid: true,
    grantId,
    scopes: ['calendar:read'],
    principal: 'user_1',
    agent: `did:grantex:${agentId}`,
    expiresAt: exchanged.body.expiresAt,
  });

  const refreshed = await service.request('POST', '/v1/token/refresh', {
    key,
    body: { refreshToken, agentId },
  });
  expect(refreshed.status).toBe(201);
  expect(refreshed.body.grantId).toBe(grantId);
  expect(refreshed.body.refreshToken).not.toBe(refreshToken);
  expect(await party.verify(refreshed.body.grantToken)).toBe(true);

  const child = await party.delegate(grantToken, { expiresIn: '10h' });
  expect(child.expiresAt).toBe(exchanged.body.expiresAt);
  const claims = (await jwtVerify(child.grantToken, jwks)).payload;
  expect(claims).toMatchObject({
    parentAgt: `did:grantex:${agentId}`,
    parentGrnt: grantId,
    delegationDepth: 1,
    act: { sub: `did:grantex:${agentId}` },
  });
  expect(await party.verify(child.grantToken)).toBe(true);

  expect((await service.request('DELETE', `/v1/grants/${grantId}`, { key })).status).toBe(204);
  for (const token of [grantToken, refreshed.body.grantToken, child.grantToken])
    expect(await party.verify(token)).toBe(false);
  expect((await service.request('DELETE', `/v1/grants/${grantId}`, { key })).status).toBe(404);
  const [revoked] = await service.logged('grant.revoked');
  expect(revoked).toMatchObject({ grantId, revokedBy: 'developer', cascadeCount: 1 });
  const scrape = await service.scrape();
  expect(scrape.value('grantex_grants_revoked_total')).toBe(2);
  expect(scrape.value('grantex_grants_created_total', { origin: 'consent' })).toBe(1);
  expect(scrape.value('grantex_grants_created_total', { origin: 'delegation' })).toBe(1);
  const byAgent = Object.fromEntries(
    scrape
      .labelSets('grantex_agent_grants_created_total')
      .map((labels) => [
        `did:grantex:${labels['agent_id']}`,
        [labels['origin'], scrape.value('grantex_agent_grants_created_total', labels)],
      ]),
  );
  expect(byAgent).toEqual({
    [`did:grantex:${agentId}`]: ['consent', 1],
    [String(claims['agt'])]: ['delegation', 1],
  });
});
