import { expect, test } from 'vitest';
import type { TokenState } from '../../src/tokens/store.ts';
import { failureOf } from '../../src/tokens/verify-token.ts';

const NOW = Date.parse('2026-03-01T10:00:00Z');
const GOOD: TokenState = {
  developerId: 'dev_1',
  ownerId: 'dev_1',
  grantId: 'grnt_1',
  agentId: 'ag_1',
  agentStatus: 'active',
  grantRevoked: false,
  tokenRevoked: false,
  expiresAt: new Date(NOW + 1),
  principalId: 'user_1',
  scopes: ['a'],
};
const UNKNOWN: TokenState = {
  developerId: 'dev_1',
  ownerId: null,
  grantId: null,
  agentId: null,
  agentStatus: null,
  grantRevoked: null,
  tokenRevoked: null,
  expiresAt: null,
  principalId: null,
  scopes: null,
};

test.each<[string, Partial<TokenState>, ReturnType<typeof failureOf>]>([
  ['a token that holds', {}, null],
  ['a token that no row knows of', UNKNOWN, 'not_found'],
  ['a token of another grant than it says', { grantId: 'grnt_2' }, 'not_found'],
  ["another developer's token", { ownerId: 'dev_2' }, 'other_developer'],
  ["another developer's revoked token", { ownerId: 'dev_2', tokenRevoked: true }, 'other_developer'],
  ['a revoked token', { tokenRevoked: true }, 'revoked'],
  ['a token of a revoked grant', { grantRevoked: true }, 'revoked'],
  ['a revoked token of an ended grant', { grantRevoked: true, expiresAt: new Date(NOW) }, 'revoked'],
  ['a token or grant that ends at this moment', { expiresAt: new Date(NOW) }, 'expired'],
  ['a suspended agent', { agentStatus: 'suspended' }, 'agent_suspended'],
  [
    'an ended grant of a suspended agent',
    { agentStatus: 'suspended', expiresAt: new Date(NOW - 1) },
    'expired',
  ],
])('%s', (_, changed, failure) => {
  expect(failureOf({ ...GOOD, ...changed }, 'grnt_1', NOW)).toBe(failure);
});
