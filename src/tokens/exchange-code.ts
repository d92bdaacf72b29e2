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
import { claimCode, lookUpRefusedCode, type RefusedCode } from './exchange-store.ts';
import { challengeOf } from './pkce.ts';

export type ExchangeDeps = IssueDeps & RevokeDeps & Pick<Deps, 'activity'>;

/** One message for every reason, so that a caller who guesses learns nothing. */
const refusal = () => badRequest('The code is not valid for this agent, has expired or was used');

/**
 * Exchanges an authorization code for a grant (OAuth 2.1 §4.1.3). BAD_REQUEST for an invalid code. A second use of a
 * code, even a concurrent one, revokes the grant of the first use and everything delegated from it (RFC 6749 §4.1.2,
 * RFC 9700 §2.1.1).
 */
export function exchangeCode(
  deps: ExchangeDeps,
  { keyHash }: KeyHolder,
  input: { code: string; agentId: string; codeVerifier: string | undefined },
): Promise<Outcome<TokenPair>> {
  const { db, ids, clock, telemetry, activity } = deps;
  return telemetry.inSpan('grantex.token.exchange', {}, async () => {
    const begun = performance.now();
    const now = clock.now();
    const codeHash = sha256(input.code);
    const prepared = prepareToken(deps, now);
    const presented = {
      agentId: input.agentId,
      codeHash,
      // A verifier for a request without a challenge is refused too, which prevents a PKCE downgrade (RFC 9700 §2.1.1).
      codeChallenge: input.codeVerifier === undefined ? null : challengeOf(input.codeVerifier),
      now: new Date(now),
    };
    const found = await claimCode(db, {
      ...presented,
      keyHash,
      grantId: ids.next('grnt', now),
      ...prepared.row,
    }).catch((error: unknown) => {
      // A concurrent request removed the agent and its codes.
      if (isForeignKeyViolation(error)) return null;
      throw error;
    });
    if (found === null) return refuseFor('unknown_agent', refusal());
    return whenKnown(found, async ({ developerId, agentId, grant, enqueued }) => {
      if (grant === null) {
        if (agentId !== null) activity.exchangeFailed(agentId);
        const code = await lookUpRefusedCode(db, { ...presented, developerId });
        if (code.used && code.grantId !== null)
          await revokeMisusedGrant(deps, { developerId, grantId: code.grantId, revokedBy: 'code_replay' });
        return refuseFor(reasonOf(code, input.agentId), refusal(), agentId ?? undefined);
      }
      if (enqueued) deps.deliveriesDue();
      const latencyMs = Math.round(performance.now() - begun);
      telemetry.events.grantCreated({ ...grant, origin: 'consent', latencyMs });
      activity.agentActed(grant.agentId);
      const pair = await issueToken(deps, prepared, grant);
      telemetry.events.tokenExchanged(grant);
      return done(pair, grant.agentId);
    });
  });
}

function reasonOf(code: RefusedCode, presentedBy: string): RefusalReason {
  if (code.agentStatus === null) return 'unknown_agent';
  if (code.agentStatus !== 'active') return 'agent_suspended';
  if (code.agentId === null) return 'unknown_code';
  if (code.agentId !== presentedBy) return 'wrong_agent';
  if (code.used) return 'code_used';
  if (code.expired) return 'code_expired';
  // A code that would be good by now was replaced by a decision, or its agent was suspended, when it was presented.
  return code.wrongVerifier ? 'wrong_verifier' : 'unknown_code';
}
