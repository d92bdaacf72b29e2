import type { Developer } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { notFound } from '../errors.ts';
import { done, type Outcome, refuse } from '../outcome.ts';
import { type Grant, type GrantFilter, grantById, listGrants } from './store.ts';

type ReadDeps = Pick<Deps, 'db' | 'clock'>;

/** One page of a developer's grants that match the filter, newest first; `total` counts the grants on all pages. */
export const ownGrants = async (
  { db, clock }: ReadDeps,
  { id }: Pick<Developer, 'id'>,
  { filter, page }: { filter: GrantFilter; page: { limit: number; offset: number } },
): Promise<Outcome<{ grants: Grant[]; total: number }>> =>
  done(await listGrants(db, id, filter, page, new Date(clock.now())));

/** One grant. NOT_FOUND for an unknown one or one of another developer. */
export async function ownGrant(
  { db, clock }: ReadDeps,
  { id: developerId }: Pick<Developer, 'id'>,
  id: string,
): Promise<Outcome<Grant>> {
  const grant = await grantById(db, { developerId, id, now: new Date(clock.now()) });
  return grant ? done(grant) : refuse(notFound('Grant'));
}
