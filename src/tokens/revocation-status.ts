import type { Deps } from '../deps.ts';
import { revocationRow } from './store.ts';

export const REVOCATION_STATUSES = ['active', 'revoked', 'suspended', 'expired', 'unknown'] as const;
export type RevocationStatus = (typeof REVOCATION_STATUSES)[number];

/** What holds of a grant, or of a token and its grant, at this moment. Another developer's are unknown. */
export async function revocationStatus(
  { db, clock }: Pick<Deps, 'db' | 'clock'>,
  developerId: string,
  named: { grantId: string | null; jti: string | null },
): Promise<RevocationStatus> {
  const row = await revocationRow(db, developerId, named);
  if (!row) return 'unknown';
  if (row.revoked) return 'revoked';
  if (row.expiresAt.getTime() <= clock.now()) return 'expired';
  return row.agentStatus === 'active' ? 'active' : 'suspended';
}
