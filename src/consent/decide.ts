import { CODE_LIFE_MS, newCode } from '../authorization/code.ts';
import type { Deps } from '../deps.ts';
import { sha256 } from '../hash.ts';
import { type Decision, decideRequest } from './store.ts';

/** The outcome of a decision; `code` only of an approval. */
export type DecisionOutcome =
  | { readonly found: false }
  | { readonly found: true; readonly decided: false }
  | {
      readonly found: true;
      readonly decided: true;
      readonly code: string | null;
      readonly redirectUri: string | null;
      readonly state: string | null;
    };

/**
 * Records a principal's decision. Of several decisions on one request exactly the first counts.
 * @param request `developerId` null: whoever knows the request's id may decide
 */
export async function decide(
  { db, ids, clock, telemetry }: Deps,
  request: { id: string; developerId: string | null },
  decision: Decision,
): Promise<DecisionOutcome> {
  const now = clock.now();
  const code = decision === 'approved' ? newCode(ids) : null;
  const row = await decideRequest(
    db,
    { ...request, decision, now: new Date(now) },
    code === null ? null : { hash: sha256(code), expiresAt: new Date(now + CODE_LIFE_MS) },
  );
  if (!row) return { found: false };
  if (!row.decided) return { found: true, decided: false };
  const { redirectUri, state, agentId, principalId, developerId } = row;
  telemetry.events.consentDecided({ decision, agentId, principalId, developerId });
  return { found: true, decided: true, code, redirectUri, state };
}
