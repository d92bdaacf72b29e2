import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';

let service: TestService;
let party: Party;
beforeAll(async () => {
  service = await startService({ env: { MAX_DELEGATION_DEPTH: '10' } });
  party = await newParty(service);
});
afterAll(() => service.stop());

/** 32 scopes of 256 bytes: the most that the contract allows. */
const scopesOf = (character: string) =>
  Array.from({ length: 32 }, (_, index) => String(index).padStart(3, '0') + character.repeat(253));

test('the widest grant that the contract allows makes a token that every route takes back', async () => {
  const scopes = scopesOf('a');
  const { grantToken } = await party.grant({ scopes, principalId: 'p'.repeat(256) });
  expect(await party.verify(grantToken)).toBe(true);
  const verified = await service.request('POST', '/v1/grants/verify', {
    key: party.key,
    body: { token: grantToken },
  });
  expect(verified.body.active).toBe(true);
  expect((await party.delegate(grantToken, { scopes })).scopes).toEqual(scopes);
});

test('the widest grant at the greatest depth, with both spellings of its scopes, can be delegated and read', async () => {
  const scopes = Array.from({ length: 31 }, (_, index) => `${index}:`.padEnd(256, 'a'));
  let { grantToken } = await party.grant({ scopes, principalId: 'p'.repeat(512) });
  for (let depth = 1; depth <= 10; depth++) ({ grantToken } = await party.delegate(grantToken, { scopes }));
  expect(await party.verify(grantToken)).toBe(true);
  expect(Buffer.byteLength(grantToken)).toBeLessThan(26_000);
});

test('400 for scopes whose token could not be sent back', async () => {
  const { status, body } = await service.request('POST', '/v1/authorize', {
    key: party.key,
    body: { agentId: party.agentId, principalId: 'user_1', scopes: scopesOf('\u0001') },
  });
  expect([status, body.message]).toEqual([400, 'scopes, principalId and audience are too long together']);
});

test.each([' ', '\n', '=', '.'])('a token with %j behind it is not the token', async (rest) => {
  const { grantToken } = await party.grant();
  expect(await party.verify(grantToken)).toBe(true);
  expect(await party.verify(grantToken + rest)).toBe(false);
});
