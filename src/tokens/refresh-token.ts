import { isForeignKeyViolation } from '../db/errors.ts';
import type { Deps } from '../deps.ts';
import { badRequest, unauthorized } from '../errors.ts';
import { issueToken, prepareToken, type TokenPair } from '../grant-token/issue-token.ts';
import { revokeMisusedGrant } from '../grants/revoke-grants.ts';
import { sha256 } from '../hash.ts';
import { grantOfReusedRefreshToken, type RotateRefreshToken } from './refresh-store.ts';

/** For how long a request with an `Idempotency-Key` may be repeated. */
const REPEATABLE_MS = 5 * 60 * 1000;

const refused = () => badRequest('The refresh token is not valid for this agent, has expired or was used');

/**
 * Rotates a refresh token (OAuth 2.1 §4.3). A used one that is presented again revokes its grant with all that was
 * delegated from it (RFC 9700 §4.14.2), unless the request repeats itself under the same `Idempotency-Key`.
 * @param onAgent told when the agent is known to be the developer's
 * @throws UNAUTHORIZED, BAD_REQUEST
 */
export function refreshToken(
  deps: Deps,
  rotate: RotateRefreshToken,
  keyHash: Buffer,
  input: { refreshToken: string; agentId: string; idempotencyKey: string | undefined },
  onAgent: (agentId: string) => void,
): Promise<TokenPair> {
  const { db, clock, telemetry } = deps;
  return telemetry.inSpan('grantex.token.refresh', {}, async () => {
    const now = clock.now();
    const presentedHash = sha256(input.refreshToken);
    const idempotencyHash = input.idempotencyKey === undefined ? null : sha256(input.idempotencyKey);
    const repeatableSince = new Date(now - REPEATABLE_MS);
    const prepared = prepareToken(deps, now);
    const { developerId, agentId, grant, enqueued } = await rotate({
      keyHash,
      agentId: input.agentId,
      presentedHash,
      idempotencyHash,
      now: new Date(now),
      repeatableSince,
      ...prepared.row,
    }).catch((error: unknown) => {
      // The grant was removed with its agent at the same moment.
      if (isForeignKeyViolation(error)) throw refused();
      throw error;
    });
    if (developerId === null) throw unauthorized();
    if (agentId !== null) onAgent(agentId);
    if (grant === null) {
      const use = { developerId, presentedHash, idempotencyHash, repeatableSince };
      const grantId = await grantOfReusedRefreshToken(db, use);
      if (grantId !== null)
        await revokeMisusedGrant(deps, { developerId, grantId, revokedBy: 'refresh_reuse' });
      throw refused();
    }
    if (enqueued) deps.deliveriesDue();
    deps.anomalies.agentActed(grant.agentId);
    const pair = await issueToken(deps, prepared, grant);
    telemetry.events.tokenRefreshed(grant);
    return pair;
  });
}
