import type { Principal } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { notFound } from '../errors.ts';
import { done, type Outcome, refuse } from '../outcome.ts';
import { type RevokeDeps, revokeTree } from './revoke-grants.ts';
import { grantById, listGrantsOfPrincipal, type PrincipalGrant } from './store.ts';

/** One page of the grants that a principal gave to agents of one developer: active ones first, then the newest. */
export const grantsOfPrincipal = async (
  { db, clock }: Pick<Deps, 'db' | 'clock'>,
  principal: Principal,
  page: { limit: number; offset: number },
): Promise<Outcome<{ grants: PrincipalGrant[]; total: number }>> =>
  done(await listGrantsOfPrincipal(db, principal, page, new Date(clock.now())));

/**
 * Lets principals revoke one of their grants, with everything delegated from it. NOT_FOUND when they have no such
 * active grant.
 */
export async function revokeGrantOfPrincipal(
  deps: RevokeDeps,
  { developerId, principalId }: Principal,
  id: string,
): Promise<Outcome<null>> {
  // The principal of a grant never changes, so an earlier query may look it up.
  const grant = await grantById(deps.db, { developerId, id, now: new Date(deps.clock.now()) });
  if (grant?.principalId !== principalId) return refuse(notFound('Active grant'));
  return revokeTree(deps, { developerId, grantId: id, revokedBy: 'principal' });
}
