import type { Principal } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { unauthorized } from '../errors.ts';
import { grantsOfPrincipal } from '../grants/grants-of-principal.ts';
import type { PrincipalGrant } from '../grants/store.ts';
import { done, isRefused, type Outcome, refuse } from '../outcome.ts';
import { developerName } from './store.ts';

export interface Permissions {
  readonly principalId: string;
  readonly developerName: string;
  readonly grants: readonly PrincipalGrant[];
  readonly total: number;
}

/** One page of the permissions that a principal gave to agents. UNAUTHORIZED when the developer of the session no longer exists. */
export async function listPermissions(
  deps: Pick<Deps, 'db' | 'clock'>,
  principal: Principal,
  page: { limit: number; offset: number },
): Promise<Outcome<Permissions>> {
  const [name, listed] = await Promise.all([
    developerName(deps.db, principal.developerId),
    grantsOfPrincipal(deps, principal, page),
  ]);
  if (name === undefined) return refuse(unauthorized('session_token'));
  if (isRefused(listed)) return listed;
  return done({ principalId: principal.principalId, developerName: name, ...listed.value });
}
