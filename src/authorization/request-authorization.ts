import { isForeignKeyViolation } from '../db/errors.ts';
import type { Deps } from '../deps.ts';
import { badRequest, notFound, ServiceError, unauthorized } from '../errors.ts';
import { sha256 } from '../hash.ts';
import { CODE_LIFE_MS, newCode } from './code.ts';
import type { CreateRequest } from './store.ts';

/** A request waits this long for a decision. */
const REQUEST_LIFE_MS = 10 * 60 * 1000;

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
  /** A policy allowed the request in the place of the principal. */
  readonly allowedByPolicy: boolean;
  readonly sandbox: boolean;
  /**
   * Where nobody needs to be asked: of a request that a policy allowed, and of every request of a sandbox developer,
   * which stays open to a decision.
   */
  readonly code: string | null;
}

/**
 * Stores a request for a principal's consent, unless a policy of the developer denies it.
 * @param onAgent told when the agent is known to be the developer's
 * @throws UNAUTHORIZED, NOT_FOUND (unknown or suspended agent), BAD_REQUEST (scopes the agent is not registered for),
 *   POLICY_DENIED
 */
export function requestAuthorization(
  { ids, clock, telemetry, anomalies }: Deps,
  createRequest: CreateRequest,
  keyHash: Buffer,
  input: AuthorizationInput,
  onAgent: (agentId: string) => void,
): Promise<AuthorizationRequested> {
  return telemetry.inSpan('grantex.authorize', {}, async () => {
    const now = clock.now();
    const id = ids.next('areq', now);
    const code = newCode(ids);
    const createdAt = new Date(now);
    const expiresAt = new Date(now + REQUEST_LIFE_MS);
    const result = await createRequest(keyHash, {
      ...input,
      id,
      createdAt,
      expiresAt,
      codeHash: sha256(code),
      codeExpiresAt: new Date(now + CODE_LIFE_MS),
    }).catch((error: unknown) => {
      // The agent was removed at the same moment.
      if (isForeignKeyViolation(error)) throw notFound('Agent');
      throw error;
    });
    if (result.developerId === null) throw unauthorized();
    if (result.agentStatus === null) throw notFound('Agent');
    onAgent(input.agentId);
    if (result.agentStatus !== 'active') throw notFound('Agent');
    if (!result.scopesAllowed) throw badRequest('scopes holds a scope that the agent is not registered for');
    const { agentId, principalId, scopes } = input;
    const { developerId, policyId, policyEffect } = result;
    if (policyId !== null && policyEffect === 'deny') {
      telemetry.events.authorizeDenied({ agentId, principalId, reason: policyId, developerId });
      throw new ServiceError('POLICY_DENIED', `The policy ${policyId} denies this`);
    }
    telemetry.events.authorizationRequested({ agentId, principalId, scopes, developerId });
    anomalies.agentActed(agentId);
    const allowedByPolicy = policyEffect === 'allow';
    const sandbox = result.mode === 'sandbox';
    return {
      id,
      createdAt,
      expiresAt,
      allowedByPolicy,
      sandbox,
      code: allowedByPolicy || sandbox ? code : null,
    };
  });
}
