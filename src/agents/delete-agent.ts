import type { Developer } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { notFound } from '../errors.ts';
import { removeGrantsOfAgent } from '../grants/revocation-store.ts';
import { type RevokeDeps, recordRevocation, revokeGrantsOfAgent } from '../grants/revoke-grants.ts';
import { done, isRefused, type Outcome, refuse } from '../outcome.ts';
import { lockAgent, removeAgent } from './store.ts';

/**
 * Deletes an agent. It revokes every grant of the agent and everything delegated from those grants, then removes the
 * agent with its requests, grants and tokens. All of this happens, or none of it. Grants that other agents hold by
 * delegation stay in the table as revoked. NOT_FOUND for an unknown agent or an agent of another developer.
 */
export async function deleteAgent(
  deps: RevokeDeps & Pick<Deps, 'clock'>,
  { id: developerId }: Pick<Developer, 'id'>,
  agentId: string,
): Promise<Outcome<null>> {
  const now = new Date(deps.clock.now());
  const agent = { developerId, id: agentId };
  const revocation = await deps.db.transaction(async (tx) => {
    if (!(await lockAgent(tx, agent))) return refuse(notFound('Agent'));
    const revoked = await deps.telemetry.inSpan('grantex.grant.revoke', { 'grantex.agent_id': agentId }, () =>
      revokeGrantsOfAgent(deps, tx, { developerId, agentId, now }),
    );
    await removeGrantsOfAgent(tx, { developerId, agentId, now });
    await removeAgent(tx, agent);
    return done(revoked);
  });
  if (isRefused(revocation)) return revocation;
  recordRevocation(deps, revocation.value);
  deps.telemetry.events.adminChanged({
    object: 'agent',
    change: 'deleted',
    agentId,
    developerId,
    changes: [],
  });
  return done(null);
}
