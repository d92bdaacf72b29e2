import type { Developer } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { badRequest } from '../errors.ts';
import { done, type Outcome, refuse } from '../outcome.ts';
import { type RevocationRow, revocationRow } from './store.ts';

export const REVOCATION_STATUSES = ['active', 'revoked', 'suspended', 'expired', 'unknown'] as const;
export type RevocationStatus = (typeof REVOCATION_STATUSES)[number];

/**
 * The current status of a grant, or of a token and its grant. Those of other developers are `unknown`. BAD_REQUEST when
 * the input names neither a grant nor a token.
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
