import type { Developer } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { badRequest } from '../errors.ts';
import { done, type Outcome, refuse } from '../outcome.ts';
import { type RevocationRow, revocationRow } from './store.ts';

export const REVOCATION_STATUSES = ['active', 'revoked', 'suspended', 'expired', 'unknown'] as const;
export type RevocationStatus = (typeof REVOCATION_STATUSES)[number];

/**
 * What holds of a grant, or of a token and its grant, at this moment. Another developer's are unknown. BAD_REQUEST when
 * neither is named.
 */
export async function revocationStatus(
  { db, clock }: Pick<Deps, 'db' | 'clock'>,
  { id: developerId }: Pick<Developer, 'id'>,
  { grantId, jti }: { grantId: string | null; jti: string | null },
): Promise<Outcome<RevocationStatus>> {
  if (grantId === null && jti === null) return refuse(badRequest('grantId or jti is required'));
  return done(statusOf(await revocationRow(db, { developerId, grantId, jti }), clock.now()));
}

function statusOf(row: RevocationRow | undefined, now: number): RevocationStatus {
  if (!row) return 'unknown';
  if (row.revoked) return 'revoked';
  if (row.expiresAt.getTime() <= now) return 'expired';
  return row.agentStatus === 'active' ? 'active' : 'suspended';
}
