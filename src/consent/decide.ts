import { CODE_LIFE_MS, newCode } from '../authorization/code.ts';
import type { Developer } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { notFound, ServiceError } from '../errors.ts';
import { sha256 } from '../hash.ts';
import type { Decision } from '../label-values.ts';
import { done, type Outcome, refuseFor } from '../outcome.ts';
import { refusalOf } from './read-request.ts';
import { decideRequest } from './store.ts';

type DecideDeps = Pick<Deps, 'db' | 'ids' | 'clock' | 'telemetry'>;

interface DecisionInput {
  /** Of the request. */
  readonly id: string;
  readonly decision: Decision;
}

/** Where the agent's application continues; `code` only after an approval. */
export interface Decided {
  readonly code: string | null;
  readonly redirectUri: string | null;
  readonly state: string | null;
}

/** Records a decision. When several decisions on one request arrive, exactly the first one counts. */
async function record(
  { db, ids, clock, telemetry }: DecideDeps,
  { id, decision, developerId }: DecisionInput & { readonly developerId: string | null },
): Promise<'unknown' | 'decided' | 'expired' | Decided> {
  const now = clock.now();
  const code = decision === 'approved' ? newCode(ids) : null;
  const row = await decideRequest(
    db,
    { id, developerId, decision, now: new Date(now) },
    code === null ? null : { hash: sha256(code), expiresAt: new Date(now + CODE_LIFE_MS) },
  );
  if (!row) return 'unknown';
  if (!row.decided) return row.expired ? 'expired' : 'decided';
  const { redirectUri, state, agentId, principalId, developerId: owner } = row;
  telemetry.events.consentDecided({
    decision,
    waited: (now - row.createdAt.getTime()) / 1000,
    authRequestId: id,
    agentId,
    principalId,
    developerId: owner,
  });
  return { code, redirectUri, state };
}

/**
 * Records the principal's own decision. Until then the request's id is a bearer secret: anyone who holds it may decide.
 * NOT_FOUND for an unknown request, GONE for one that has expired or was decided.
 */
export async function decideAsPrincipal(
  deps: DecideDeps,
  _caller: null,
  input: DecisionInput,
): Promise<Outcome<Decided>> {
  const decided = await record(deps, { ...input, developerId: null });
  return typeof decided === 'string' ? refusalOf(decided) : done(decided);
}

/**
 * Records a sandbox developer's decision in place of the principal. CONSENT_REQUIRED for a live developer, NOT_FOUND
 * for a request that belongs to another developer or is no longer pending.
 */
export async function decideInSandbox(
  deps: DecideDeps,
  { id: developerId, mode }: Pick<Developer, 'id' | 'mode'>,
  input: DecisionInput,
): Promise<Outcome<Decided>> {
  if (mode !== 'sandbox')
    return refuseFor(
      'not_sandbox',
      new ServiceError('CONSENT_REQUIRED', 'Only the principal can decide on a live request'),
    );
  const decided = await record(deps, { ...input, developerId });
  if (typeof decided !== 'string') return done(decided);
  return { ...refusalOf(decided), refusal: notFound('Pending request') };
}
