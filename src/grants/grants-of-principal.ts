import type { Deps } from '../deps.ts';
import { notFound } from '../errors.ts';
import { revokeGrant } from './revoke-grants.ts';
import { grantById, listGrantsOfPrincipal, type PrincipalGrant } from './store.ts';

/** One answer holds at most so many grants, the living before the ended. */
const MAX_GRANTS = 1000;

interface PrincipalIds {
  readonly developerId: string;
  readonly principalId: string;
}

/** The grants that a principal gave to agents of one developer; `total` also counts those beyond the first thousand. */
export const grantsOfPrincipal = (
  { db, clock }: Pick<Deps, 'db' | 'clock'>,
  principal: PrincipalIds,
): Promise<{ grants: PrincipalGrant[]; total: number }> =>
  listGrantsOfPrincipal(db, { ...principal, now: new Date(clock.now()), limit: MAX_GRANTS });

/**
 * Lets a principal take back a grant of his, with everything delegated from it.
 * @throws NOT_FOUND when he has no such active grant
 */
export async function revokeGrantOfPrincipal(
  deps: Deps,
  { developerId, principalId }: PrincipalIds,
  grantId: string,
): Promise<void> {
  // Whose grant it is never changes, so it may be looked up before.
  const grant = await grantById(deps.db, developerId, grantId, new Date(deps.clock.now()));
  if (grant?.principalId !== principalId) throw notFound('Active grant');
  await revokeGrant(deps, { developerId, grantId, revokedBy: 'principal' });
}
