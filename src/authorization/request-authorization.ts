import type { KeyHolder } from '../caller.ts';
import { isForeignKeyViolation } from '../db/errors.ts';
import type { Deps } from '../deps.ts';
import { whenKnown } from '../developers/known-caller.ts';
import { badRequest, notFound, ServiceError } from '../errors.ts';
import { sha256 } from '../hash.ts';
import { done, type Outcome, refuseFor } from '../outcome.ts';
import { CODE_LIFE_MS, newCode } from './code.ts';
import { createRequest } from './store.ts';

/** How long a request waits for a decision. */
const REQUEST_LIFE_MS = 10 * 60 * 1000;

export type AuthorizationDeps = Pick<Deps, 'db' | 'ids' | 'clock' | 'telemetry' | 'activity'>;

export interface AuthorizationInput {
  readonly agentId: string;
  readonly principalId: string;
  readonly scopes: readonly string[];
  readonly redirectUri: string | null;
  readonly state: string | null;
  readonly audience: string | null;
  readonly grantSeconds: number;
  readonly codeChallenge: string | null;
}

export interface AuthorizationRequested {
  readonly id: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  /** A policy allowed the request in place of the principal. */
  readonly allowedByPolicy: boolean;
  readonly sandbox: boolean;
  /**
   * The code, when no person needs to decide: a policy allowed the request, or the developer is in sandbox mode. A
   * sandbox request still accepts a decision.
   */
  readonly code: string | null;
}

/**
 * Stores a request for a principal's consent, unless a policy of the developer denies it. NOT_FOUND for an unknown or
 * suspended agent, BAD_REQUEST for scopes that the agent is not registered for, POLICY_DENIED.
 */
export function requestAuthorization(
  { db, ids, clock, telemetry, activity }: AuthorizationDeps,
  { keyHash }: KeyHolder,
  input: AuthorizationInput,
): Promise<Outcome<AuthorizationRequested>> {
  return telemetry.inSpan('grantex.authorize', {}, async () => {
    const now = clock.now();
    const id = ids.next('areq', now);
    const code = newCode(ids);
    const createdAt = new Date(now);
    const expiresAt = new Date(now + REQUEST_LIFE_MS);
    const found = await createRequest(db, {
      ...input,
      keyHash,
      id,
      createdAt,
      expiresAt,
      codeHash: sha256(code),
      codeExpiresAt: new Date(now + CODE_LIFE_MS),
    }).catch((error: unknown) => {
      // A concurrent request removed the agent.
      if (isForeignKeyViolation(error)) return null;
      throw error;
    });
    if (found === null) return refuseFor('unknown_agent', notFound('Agent'));
    const agent = found.agentStatus === null ? null : input.agentId;
    return whenKnown(
      { ...found, agentId: agent },
      async ({ developerId, agentStatus, scopesAllowed, policyId, policyEffect, mode }) => {
        const { agentId, principalId, scopes } = input;
        if (agentStatus === null) return refuseFor('unknown_agent', notFound('Agent'));
        if (agentStatus !== 'active') return refuseFor('agent_suspended', notFound('Agent'), agentId);
        if (!scopesAllowed)
          return refuseFor(
            'scope_not_registered',
            badRequest('scopes holds a scope that the agent is not registered for'),
            agentId,
          );
        if (policyId !== null && policyEffect === 'deny') {
          telemetry.events.authorizeDenied({ agentId, principalId, reason: policyId, developerId });
          const denied = new ServiceError('POLICY_DENIED', `The policy ${policyId} denies this`);
          return refuseFor('policy_denied', denied, agentId);
        }
        telemetry.events.authorizationRequested({ agentId, principalId, scopes, developerId });
        activity.agentActed(agentId);
        const allowedByPolicy = policyEffect === 'allow';
        const sandbox = mode === 'sandbox';
        const given = allowedByPolicy || sandbox ? code : null;
        return done({ id, createdAt, expiresAt, allowedByPolicy, sandbox, code: given }, agentId);
      },
    );
  });
}
