import type { Developer } from '../caller.ts';
import { isForeignKeyViolation } from '../db/errors.ts';
import type { Deps } from '../deps.ts';
import { badRequest, notFound, ServiceError } from '../errors.ts';
import { type IssueDeps, issueToken, prepareToken, type TokenPair } from '../grant-token/issue-token.ts';
import type { ReadGrantToken } from '../grant-token/read-grant-token.ts';
import { faultOfTokenSize } from '../grant-token/token-size.ts';
import { done, type Outcome, refuse, refuseFor } from '../outcome.ts';
import { insertDelegation } from './delegation-store.ts';

export type DelegateDeps = IssueDeps &
  Pick<Deps, 'db' | 'activity' | 'deliveriesDue'> & { readonly readGrantToken: ReadGrantToken };

const badParent = () => badRequest('The parent grant token is not valid');

/**
 * Makes a grant for a sub-agent from an agent's own grant. The new grant never has more scopes or a longer life than
 * its parent, and lies at most `MAX_DELEGATION_DEPTH` levels deep. A concurrent revocation either sees the new grant
 * and revokes it, or commits first and makes this call fail. BAD_REQUEST for a bad, expired or revoked parent and for
 * wider scopes, FORBIDDEN for another developer's parent, NOT_FOUND for an unknown sub-agent,
 * DELEGATION_DEPTH_EXCEEDED.
 */
export function delegateGrant(
  deps: DelegateDeps,
  { id: developerId }: Pick<Developer, 'id'>,
  input: { parentGrantToken: string; subAgentId: string; scopes: readonly string[]; grantSeconds: number },
): Promise<Outcome<TokenPair>> {
  const { db, ids, clock, config, telemetry } = deps;
  return telemetry.inSpan('grantex.grant.delegate', {}, async () => {
    const begun = performance.now();
    const parentToken = await deps.readGrantToken(input.parentGrantToken);
    if (!parentToken.valid) return refuseFor('invalid_parent_token', badParent());
    const parent = parentToken.claims;
    if (parent.dev !== developerId)
      return refuseFor(
        'other_developer',
        new ServiceError('FORBIDDEN', 'The parent grant belongs to another developer'),
      );

    const { sub: principal, aud = null } = parent;
    const tooLarge = faultOfTokenSize(config, {
      scopes: input.scopes,
      principalId: principal,
      audience: String(aud),
    });
    if (tooLarge) return refuse(tooLarge);

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
      // A concurrent request removed the sub-agent.
      if (isForeignKeyViolation(error)) return null;
      throw error;
    });
    if (found === null) return refuseFor('unknown_agent', notFound('Sub-agent'));
    if (found.parentAgentIds === null || found.principalId === null)
      return refuseFor('parent_not_active', badParent());
    if (found.subAgentStatus === null) return refuseFor('unknown_agent', notFound('Sub-agent'));
    if (found.subAgentStatus !== 'active') return refuseFor('agent_suspended', notFound('Sub-agent'));
    if (!found.scopesAllowed)
      return refuseFor(
        'scope_not_held',
        badRequest('scopes holds a scope that the parent grant does not have'),
      );
    const { expiresAt, grantExpiresAt, depth } = found;
    if (expiresAt === null || grantExpiresAt === null || depth === null)
      return refuseFor(
        'depth_exceeded',
        new ServiceError(
          'DELEGATION_DEPTH_EXCEEDED',
          `A grant can be delegated at most ${config.maxDelegationDepth} levels deep`,
        ),
      );

    if (found.enqueued) deps.deliveriesDue();
    const { principalId, parentAgentIds: agentIds, audience } = found;
    const { scopes, subAgentId: agentId } = input;
    const grant = {
      grantId,
      agentId,
      developerId,
      principalId,
      audience,
      scopes,
      expiresAt,
      grantExpiresAt,
      parent: { agentIds, grantId: parent.grnt, depth },
    };
    const latencyMs = Math.round(performance.now() - begun);
    telemetry.events.grantCreated({ ...grant, origin: 'delegation', latencyMs });
    deps.activity.agentActed(agentId);
    return done(await issueToken(deps, prepared, grant));
  });
}
