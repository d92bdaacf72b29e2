import type { Deps } from '../deps.ts';
import { notFound } from '../errors.ts';
import { recordRevocation, revokeGrantsOfAgent } from '../grants/revoke-grants.ts';
import { removeGrantsOfAgent } from '../grants/store.ts';
import { lockAgent, removeAgent } from './store.ts';

/**
 * Revokes every grant of the agent with all that was delegated from it, then removes the agent, its requests, grants
 * and tokens; all of it or nothing. Grants that other agents hold by delegation stay, revoked.
 * @throws NOT_FOUND for an unknown or another developer's agent
 */
export async function deleteAgent(deps: Deps, developerId: string, agentId: string): Promise<void> {
  const now = new Date(deps.clock.now());
  const revocation = await deps.db.transaction(async (tx) => {
    if (!(await lockAgent(tx, developerId, agentId))) throw notFound('Agent');
    const revoked = await deps.telemetry.inSpan('grantex.grant.revoke', { 'grantex.agent_id': agentId }, () =>
      revokeGrantsOfAgent(deps, tx, { developerId, agentId, now }),
    );
    await removeGrantsOfAgent(tx, { developerId, agentId, now });
    await removeAgent(tx, developerId, agentId);
    return revoked;
  });
  recordRevocation(deps, revocation);
}
