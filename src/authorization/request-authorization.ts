import { isForeignKeyViolation } from '../db/errors.ts';
import type { Deps } from '../deps.ts';
import { badRequest, notFound, unauthorized } from '../errors.ts';
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
  /** Sandbox developers need no principal: the code works at once, and the request stays open to a decision. */
  readonly sandboxCode: string | null;
}

/**
 * Stores a request for a principal's consent.
 * @param onAgent told when the agent is known to be the developer's
 * @throws UNAUTHORIZED, NOT_FOUND (unknown or suspended agent), BAD_REQUEST (scopes the agent is not registered for)
 */
export function requestAuthorization(
  { ids, clock, telemetry }: Deps,
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
    if (!result.created) throw badRequest('scopes holds a scope that the agent is not registered for');
    const { agentId, principalId, scopes } = input;
    telemetry.events.authorizationRequested({
      agentId,
      principalId,
      scopes,
      developerId: result.developerId,
    });
    return { id, createdAt, expiresAt, sandboxCode: result.mode === 'sandbox' ? code : null };
  });
}
