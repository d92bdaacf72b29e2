import { Type } from 'typebox';
import { Timestamp } from '../http/schemas.ts';
import { agentDid } from '../ids.ts';
import type { Grant } from './store.ts';

export const GrantStatus = Type.Enum(['active', 'revoked', 'expired']);
/** A grant in the form of the answers. */
export const GrantView = Type.Object({
  id: Type.String(),
  grantId: Type.String(),
  agentId: Type.String(),
  agentDid: Type.String(),
  principalId: Type.String(),
  developerId: Type.String(),
  scopes: Type.Array(Type.String()),
  status: GrantStatus,
  issuedAt: Timestamp,
  expiresAt: Timestamp,
  revokedAt: Type.Optional(Timestamp),
  parentGrantId: Type.Optional(Type.String()),
  delegationDepth: Type.Integer(),
});

/** Leaves out a member that does not apply. */
export function grantView({ revokedAt, parentGrantId, ...grant }: Grant) {
  return {
    ...grant,
    grantId: grant.id,
    agentDid: agentDid(grant.agentId),
    ...(revokedAt && { revokedAt }),
    ...(parentGrantId !== null && { parentGrantId }),
  };
}
