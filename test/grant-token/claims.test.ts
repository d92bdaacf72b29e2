import { expect, test } from 'vitest';
import { grantClaims, type TokenSubject } from '../../src/grant-token/claims.ts';

const SUBJECT: TokenSubject = {
  grantId: 'grnt_1',
  agentId: 'ag_1',
  developerId: 'dev_1',
  principalId: 'user_1',
  audience: null,
  scopes: ['calendar:read', 'mail:send'],
  expiresAt: new Date('2026-03-01T11:00:00Z'),
  grantExpiresAt: new Date('2026-04-01T10:00:00Z'),
};
const OLD = { sub: 'user_1', agt: 'did:grantex:ag_1', dev: 'dev_1', grnt: 'grnt_1', scp: SUBJECT.scopes };

test('a consented grant, in both spellings', () => {
  expect(grantClaims(SUBJECT)).toEqual({
    ...OLD,
    client_id: 'ag_1',
    scope: 'calendar:read mail:send',
    'urn:grantex:grant': { agent_did: 'did:grantex:ag_1', developer_id: 'dev_1', grant_id: 'grnt_1' },
  });
  expect(grantClaims({ ...SUBJECT, audience: 'https://api.example.com' }).aud).toBe(
    'https://api.example.com',
  );
});

test('a grant delegated three times names its parent, and every agent up to the root', () => {
  const parent = { grantId: 'grnt_0', depth: 3, agentIds: ['ag_c', 'ag_b', 'ag_a'] };
  expect(grantClaims({ ...SUBJECT, parent })).toEqual({
    ...OLD,
    parentAgt: 'did:grantex:ag_c',
    parentGrnt: 'grnt_0',
    delegationDepth: 3,
    client_id: 'ag_1',
    scope: 'calendar:read mail:send',
    'urn:grantex:grant': {
      agent_did: 'did:grantex:ag_1',
      developer_id: 'dev_1',
      grant_id: 'grnt_1',
      parent_grant_id: 'grnt_0',
      delegation_depth: 3,
    },
    act: {
      sub: 'did:grantex:ag_c',
      act: { sub: 'did:grantex:ag_b', act: { sub: 'did:grantex:ag_a' } },
    },
  });
});

test.each([
  ['a space', ['read all', 'write']],
  ['a line feed', ['write', 'read\nall']],
  ['another white space of Unicode', ['read\u2003all']],
  ['more than 8 KiB together', Array.from({ length: 33 }, (_, n) => `${n}:`.padEnd(256, 'a'))],
])('scopes with %s have the older spelling only', (_, scopes) => {
  expect(grantClaims({ ...SUBJECT, scopes })).toEqual({ ...OLD, scp: scopes, client_id: 'ag_1' });
});

test('scopes of 8 KiB together have both', () => {
  const scopes = Array.from({ length: 32 }, (_, n) => `${n}:`.padEnd(n === 0 ? 256 : 255, 'a'));
  const { scope } = grantClaims({ ...SUBJECT, scopes });
  expect([scope?.length, scope?.split(' ')]).toEqual([8192, scopes]);
});
