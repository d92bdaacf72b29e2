import { isForeignKeyViolation } from '../db/errors.ts';
import type { Deps } from '../deps.ts';
import { badRequest, notFound, ServiceError } from '../errors.ts';
import { sha256 } from '../hash.ts';
import { readGrantToken, signGrantToken } from '../keys/grant-token.ts';
import { insertDelegation } from './delegation-store.ts';

const REFRESH_TOKEN_BYTES = 32;

export interface Delegation {
  readonly grantToken: string;
  readonly expiresAt: Date;
  readonly scopes: readonly string[];
  readonly grantId: string;
  readonly refreshToken: string;
}

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
): Promise<Delegation> {
  const { db, ids, keys, clock, config, telemetry } = deps;
  return telemetry.inSpan('grantex.grant.delegate', {}, async () => {
    const begun = performance.now();
    const parentToken = await readGrantToken(deps, input.parentGrantToken);
    if (!parentToken.valid) throw badParent();
    const parent = parentToken.claims;
    if (parent.dev !== developerId)
      throw new ServiceError('FORBIDDEN', 'The parent grant belongs to another developer');

    const now = clock.now();
    const signer = keys.signer();
    const grantId = ids.next('grnt', now);
    const jti = ids.next('tok', now);
    const refreshToken = `ref_${ids.secret(REFRESH_TOKEN_BYTES)}`;
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
      jti,
      kid: signer.kid,
      refreshHash: sha256(refreshToken),
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

    const { principalId, parentAgentId, audience } = found;
    const { scopes, subAgentId: agentId } = input;
    telemetry.events.grantCreated({
      grantId,
      agentId,
      developerId,
      principalId,
      scopes,
      origin: 'delegation',
      latencyMs: Math.round(performance.now() - begun),
    });
    const subject = { grantId, agentId, developerId, principalId, audience, scopes, expiresAt };
    const lineage = { agentId: parentAgentId, grantId: parent.grnt, depth };
    const grantToken = await signGrantToken(deps, signer, jti, { ...subject, parent: lineage });
    return { grantToken, expiresAt, scopes, grantId, refreshToken };
  });
}
