import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party, type TokenPair } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';
import { issuerOf, type PythonClients, startPythonClients } from './foreign/clients.ts';

const SCOPE = { scopes: ['tool:calendar:read'] };
const ONLINE = { revocation_check: 'online' };
const OFFLINE = { revocation_check: 'offline' };
const ALLOWED = { allowed: true, code: null, detail: null, legacyWarnings: 0 };
const denied = (detail: string) => ({ allowed: false, code: 'grant_revoked', detail, legacyWarnings: 0 });

let service: TestService;
let party: Party;
let clients: PythonClients;
beforeAll(async () => {
  service = await startService();
  party = await newParty(service);
  clients = await startPythonClients(issuerOf(service), party.key);
});
afterAll(async () => {
  await clients?.stop();
  await service?.stop();
});

const setStatus = (agentId: string, status: 'active' | 'suspended') =>
  service.request('PATCH', `/v1/agents/${agentId}`, { key: party.key, body: { status } });

test.each([
  ['online, the default', {}],
  ['offline', OFFLINE],
])('a valid token is allowed what its scopes say and no more: %s', async (_, settings) => {
  const { grantToken, grantId } = await party.grant(SCOPE);
  expect(await clients.enforce(settings, grantToken)).toEqual({ ...ALLOWED, grantId });
  expect(await clients.enforce(settings, grantToken, 'delete_event')).toMatchObject({
    allowed: false,
    code: 'permission_insufficient',
  });
  const { grantToken: other } = await party.grant({ scopes: ['tool:mail:read'] });
  expect(await clients.enforce(settings, other)).toMatchObject({ allowed: false, code: 'tool_not_granted' });
  const forged = `${grantToken.slice(0, -8)}AAAAAAAA`;
  expect(await clients.enforce(settings, forged)).toMatchObject({ allowed: false, code: 'token_invalid' });
});

test('online: a revoked grant and a revoked token are denied on the next call; offline cannot know', async () => {
  const revocations: ((pair: TokenPair) => Promise<unknown>)[] = [
    ({ grantId }) => service.request('DELETE', `/v1/grants/${grantId}`, { key: party.key }),
    ({ grantToken }) => clients.revoke(grantToken),
  ];
  for (const revoke of revocations) {
    const pair = await party.grant(SCOPE);
    expect(await clients.enforce(ONLINE, pair.grantToken)).toMatchObject(ALLOWED);
    await revoke(pair);
    expect(await clients.enforce(ONLINE, pair.grantToken)).toEqual({
      ...denied('revoked'),
      grantId: pair.grantId,
    });
    expect(await clients.enforce(OFFLINE, pair.grantToken)).toMatchObject(ALLOWED);
  }
});

test('online: the revocation of a grant reaches those that were delegated from it, and leaves others', async () => {
  const parent = await party.grant(SCOPE);
  const child = await party.delegate(parent.grantToken, SCOPE);
  const grandchild = await party.delegate(child.grantToken, SCOPE);
  const other = await party.grant(SCOPE);
  for (const { grantToken } of [parent, child, grandchild])
    expect(await clients.enforce(ONLINE, grantToken)).toMatchObject(ALLOWED);
  await service.request('DELETE', `/v1/grants/${parent.grantId}`, { key: party.key });
  for (const { grantToken } of [parent, child, grandchild])
    expect(await clients.enforce(ONLINE, grantToken)).toMatchObject(denied('revoked'));
  expect(await clients.enforce(ONLINE, other.grantToken)).toMatchObject(ALLOWED);
});

test('online: a suspended agent is denied, and allowed once it is resumed', async () => {
  const agentId = await party.newAgent();
  const { grantToken } = await party.grant({ ...SCOPE, agentId });
  await setStatus(agentId, 'suspended');
  expect(await clients.enforce(ONLINE, grantToken)).toMatchObject(denied('suspended'));
  await setStatus(agentId, 'active');
  expect(await clients.enforce(ONLINE, grantToken)).toMatchObject(ALLOWED);
});

test("online: another developer's token is denied; offline it is as valid as any", async () => {
  const { grantToken } = await (await newParty(service)).grant(SCOPE);
  expect(await clients.enforce(ONLINE, grantToken)).toMatchObject(denied('status_unavailable'));
  expect(await clients.enforce(OFFLINE, grantToken)).toMatchObject(ALLOWED);
});

test('where a scope holds white space, the standard claims are left out, and the client says so', async () => {
  const { grantToken } = await party.grant({ scopes: ['tool:calendar:read', 'read all'] });
  const { allowed, legacyWarnings } = await clients.enforce(ONLINE, grantToken);
  expect(allowed).toBe(true);
  expect(legacyWarnings).toBeGreaterThan(0);
});

test('legacy_claims=False takes tokens of the type at+jwt, and only these', async () => {
  const strict = { ...ONLINE, legacy_claims: false };
  const { grantToken: plain } = await party.grant(SCOPE);
  expect(await clients.enforce(strict, plain)).toMatchObject({ allowed: false, code: 'token_invalid' });
  const profile = await startService({ env: { GRANT_TOKEN_TYPE: 'at+jwt' } });
  const other = await newParty(profile);
  const python = await startPythonClients(issuerOf(profile), other.key);
  try {
    const parent = await other.grant(SCOPE);
    const child = await other.delegate(parent.grantToken, SCOPE);
    for (const { grantToken, grantId } of [parent, child])
      for (const settings of [strict, { ...strict, ...OFFLINE }, ONLINE])
        expect(await python.enforce(settings, grantToken)).toEqual({ ...ALLOWED, grantId });
  } finally {
    await python.stop();
    await profile.stop();
  }
});
