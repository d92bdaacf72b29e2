import { isForeignKeyViolation } from '../db/errors.ts';
import type { Deps } from '../deps.ts';
import { badRequest, notFound, ServiceError } from '../errors.ts';
import { issueToken, prepareToken, type TokenPair } from '../grant-token/issue-token.ts';
import { assertTokenFits } from '../grant-token/token-size.ts';
import { insertDelegation } from './delegation-store.ts';

const badParent = () => badRequest('The parent grant token is not valid');

/**
 * Makes a grant of an agent's own grant for a sub-agent: never more scopes, never a longer life than the parent's, and
 * at most `MAX_DELEGATION_DEPTH` levels deep. A revocation that runs at the same moment either sees the new grant and
 * revokes it, or is seen and refuses it.
 * @throws BAD_REQUEST (bad, expired or revoked parent; wider scopes), FORBIDDEN (another developer's parent),
 *   NOT_FOUND (unknown sub-agent), DELEGATION_DEPTH_EXCEEDED
 */
export function delegateGrant(
  deps: Deps,
  developerId: string,
  input: { parentGrantToken: string; subAgentId: string; scopes: readonly string[]; grantSeconds: number },
): Promise<TokenPair> {
  const { db, ids, clock, config, telemetry } = deps;
  return telemetry.inSpan('grantex.grant.delegate', {}, async () => {
    const begun = performance.now();
    const parentToken = await deps.readGrantToken(input.parentGrantToken);
    if (!parentToken.valid) throw badParent();
    const parent = parentToken.claims;
    if (parent.dev !== developerId)
      throw new ServiceError('FORBIDDEN', 'The parent grant belongs to another developer');

    const { sub: principal, aud = null } = parent;
    assertTokenFits(config, { scopes: input.scopes, principalId: principal, audience: String(aud) });

    const now = clock.now();
    const prepared = prepareToken(deps, now);
    const grantId = ids.next('grnt', now);
    const found = await insertDelegation(db, {
      developerId,
      parentGrantId: parent.grnt,
      parentJti: parent.jti,
      subAgentId: input.subAgentId,
      scopes: input.scopes,
      now: new Date(now),
      grantSeconds: input.grantSeconds,
      maxDepth: config.maxDelegationDepth,
      grantId,
      ...prepared.row,
    }).catch((error: unknown) => {
      if (isForeignKeyViolation(error)) throw notFound('Sub-agent');
      throw error;
    });
    if (found.parentAgentId === null || found.principalId === null) throw badParent();
    if (found.subAgentStatus !== 'active') throw notFound('Sub-agent');
    if (!found.scopesAllowed) throw badRequest('scopes holds a scope that the parent grant does not have');
    const { expiresAt, depth } = found;
    if (expiresAt === null || depth === null)
      throw new ServiceError(
        'DELEGATION_DEPTH_EXCEEDED',
        `A grant can be delegated at most ${config.maxDelegationDepth} levels deep`,
      );

    if (found.enqueued) deps.deliveriesDue();
    const { principalId, parentAgentId, audience } = found;
    const { scopes, subAgentId: agentId } = input;
    const grant = {
      grantId,
      agentId,
      developerId,
      principalId,
      audience,
      scopes,
      expiresAt,
      parent: { agentId: parentAgentId, grantId: parent.grnt, depth },
    };
    const latencyMs = Math.round(performance.now() - begun);
    telemetry.events.grantCreated({ ...grant, origin: 'delegation', latencyMs });
    deps.anomalies.agentActed(agentId);
    return issueToken(deps, prepared, grant);
  });
}
