import { isForeignKeyViolation } from '../db/errors.ts';
import type { Deps } from '../deps.ts';
import { badRequest, unauthorized } from '../errors.ts';
import { issueToken, prepareToken, type TokenPair } from '../grant-token/issue-token.ts';
import { revokeMisusedGrant } from '../grants/revoke-grants.ts';
import { sha256 } from '../hash.ts';
import { type ClaimCode, grantOfUsedCode } from './exchange-store.ts';
import { challengeOf } from './pkce.ts';

/** One message for every reason: a caller that guesses learns nothing. */
const refused = () => badRequest('The code is not valid for this agent, has expired or was used');

/**
 * Exchanges an authorization code for a grant (OAuth 2.1 §4.1.3). A code that is presented again, also at the same
 * moment, revokes the grant that it produced with all that was delegated from it (RFC 6749 §4.1.2, RFC 9700 §2.1.1).
 * @param onAgent told when the agent is known to be the developer's
 * @throws UNAUTHORIZED, BAD_REQUEST
 */
export function exchangeCode(
  deps: Deps,
  claimCode: ClaimCode,
  keyHash: Buffer,
  input: { code: string; agentId: string; codeVerifier: string | undefined },
  onAgent: (agentId: string) => void,
): Promise<TokenPair> {
  const { ids, clock, telemetry } = deps;
  return telemetry.inSpan('grantex.token.exchange', {}, async () => {
    const begun = performance.now();
    const now = clock.now();
    const codeHash = sha256(input.code);
    const prepared = prepareToken(deps, now);
    const { developerId, agentId, grant, enqueued } = await claimCode({
      keyHash,
      agentId: input.agentId,
      codeHash,
      // A verifier for a request made without a challenge is refused too: no PKCE downgrade (RFC 9700 §2.1.1).
      codeChallenge: input.codeVerifier === undefined ? null : challengeOf(input.codeVerifier),
      now: new Date(now),
      grantId: ids.next('grnt', now),
      ...prepared.row,
    }).catch((error: unknown) => {
      // The agent was removed at the same moment, and its codes with it.
      if (isForeignKeyViolation(error)) throw refused();
      throw error;
    });
    if (developerId === null) throw unauthorized();
    if (agentId !== null) onAgent(agentId);
    if (grant === null) {
      if (agentId !== null) deps.anomalies.exchangeFailed(agentId);
      await revokeIfReplayed(deps, developerId, codeHash);
      throw refused();
    }
    if (enqueued) deps.deliveriesDue();
    const latencyMs = Math.round(performance.now() - begun);
    telemetry.events.grantCreated({ ...grant, origin: 'consent', latencyMs });
    deps.anomalies.agentActed(grant.agentId);
    const pair = await issueToken(deps, prepared, grant);
    telemetry.events.tokenExchanged(grant);
    return pair;
  });
}

async function revokeIfReplayed(deps: Deps, developerId: string, codeHash: Buffer): Promise<void> {
  const grantId = await grantOfUsedCode(deps.db, developerId, codeHash);
  if (grantId !== null) await revokeMisusedGrant(deps, { developerId, grantId, revokedBy: 'code_replay' });
}
