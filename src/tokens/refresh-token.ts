import type { KeyHolder } from '../caller.ts';
import { isForeignKeyViolation } from '../db/errors.ts';
import type { Deps } from '../deps.ts';
import { whenKnown } from '../developers/known-caller.ts';
import { badRequest } from '../errors.ts';
import { type IssueDeps, issueToken, prepareToken, type TokenPair } from '../grant-token/issue-token.ts';
import { type RevokeDeps, revokeMisusedGrant } from '../grants/revoke-grants.ts';
import { sha256 } from '../hash.ts';
import type { RefusalReason } from '../label-values.ts';
import { done, type Outcome, refuseFor } from '../outcome.ts';
import { lookUpRefusedToken, type RefusedRefreshToken, rotateRefreshToken } from './refresh-store.ts';
import type { SuccessorOf } from './successor.ts';

export type RefreshDeps = IssueDeps &
  RevokeDeps &
  Pick<Deps, 'activity'> & { readonly successorOf: SuccessorOf };

/** The time within which a client may repeat a request with an `Idempotency-Key`. */
const REPEATABLE_MS = 5 * 60 * 1000;

const refusal = () => badRequest('The refresh token is not valid for this agent, has expired or was used');

/**
 * Rotates a refresh token (OAuth 2.1 §4.3). BAD_REQUEST for an invalid one. A second use of a token revokes its grant
 * and everything delegated from it (RFC 9700 §4.14.2), unless the client repeats the request with the same
 * `Idempotency-Key`. Such a retry gets the same successor, until that was used.
 */
export function refreshToken(
  deps: RefreshDeps,
  { keyHash }: KeyHolder,
  input: { refreshToken: string; agentId: string; idempotencyKey: string | undefined },
): Promise<Outcome<TokenPair>> {
  const { db, clock, telemetry, activity } = deps;
  return telemetry.inSpan('grantex.token.refresh', {}, async () => {
    const now = clock.now();
    const { idempotencyKey } = input;
    const presentedHash = sha256(input.refreshToken);
    const idempotencyHash = idempotencyKey === undefined ? null : sha256(idempotencyKey);
    const repeatableSince = new Date(now - REPEATABLE_MS);
    const successor =
      idempotencyKey === undefined ? undefined : deps.successorOf(input.refreshToken, idempotencyKey);
    const prepared = prepareToken(deps, now, successor);
    const presented = {
      agentId: input.agentId,
      presentedHash,
      idempotencyHash,
      now: new Date(now),
      repeatableSince,
    };
    const found = await rotateRefreshToken(db, {
      ...presented,
      keyHash,
      ...prepared.row,
    }).catch((error: unknown) => {
      // A concurrent request removed the agent and its grants.
      if (isForeignKeyViolation(error)) return null;
      throw error;
    });
    if (found === null) return refuseFor('unknown_agent', refusal());
    return whenKnown(found, async ({ developerId, agentId, grant, enqueued }) => {
      if (grant === null) {
        const token = await lookUpRefusedToken(db, { ...presented, developerId });
        if (token.reused && token.grantId !== null)
          await revokeMisusedGrant(deps, { developerId, grantId: token.grantId, revokedBy: 'refresh_reuse' });
        return refuseFor(reasonOf(token, input.agentId), refusal(), agentId ?? undefined);
      }
      if (enqueued) deps.deliveriesDue();
      activity.agentActed(grant.agentId);
      const pair = await issueToken(deps, prepared, grant);
      telemetry.events.tokenRefreshed(grant);
      return done(pair, grant.agentId);
    });
  });
}

function reasonOf(token: RefusedRefreshToken, presentedBy: string): RefusalReason {
  if (token.agentStatus === null) return 'unknown_agent';
  if (token.agentStatus !== 'active') return 'agent_suspended';
  if (token.agentId === null) return 'unknown_token';
  if (token.agentId !== presentedBy) return 'wrong_agent';
  if (token.reused) return 'token_used';
  if (token.revoked) return 'grant_revoked';
  // A token that would be good by now had a suspended agent when it was presented.
  return token.expired ? 'grant_expired' : 'agent_suspended';
}
