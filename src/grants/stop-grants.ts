import type { Developer } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { badRequest, type ServiceError } from '../errors.ts';
import { done, type Outcome } from '../outcome.ts';
import { activeTraceParent } from '../telemetry/trace-parent.ts';
import { countStoppable, insertStop } from './stop-store.ts';

interface StopFilter {
  readonly principalId?: string | undefined;
  readonly agentId?: string | undefined;
}

/** BAD_REQUEST unless a request names a principal, an agent or both, or says `all` and nothing else. */
export function faultOfStop({
  principalId,
  agentId,
  all = false,
}: StopFilter & { readonly all?: boolean | undefined }): ServiceError | null {
  const named = principalId !== undefined || agentId !== undefined;
  if (named && all) return badRequest('all cannot be combined with principalId or agentId');
  return named || all ? null : badRequest('principalId, agentId or all: true is required');
}

/**
 * The emergency stop: revokes the grants of a principal, of an agent, or all of the developer, with everything delegated from
 * them. They are dead at the commit, however many they are. A job revokes their rows, and tells of each grant once. Grants that
 * are made afterwards live. Principal and agent together stop what this agent may do for this principal.
 * @returns `revoked`: how many grants were alive; at least so many where `revokedIsEstimate` says so. Of stops at the same moment
 * each counts what it has killed itself
 */
export function stopGrants(
  { db, clock, telemetry }: Pick<Deps, 'db' | 'clock' | 'telemetry'>,
  { id: developerId }: Pick<Developer, 'id'>,
  { principalId, agentId, dryRun }: StopFilter & { readonly dryRun: boolean },
): Promise<Outcome<{ revoked: number; revokedIsEstimate?: true; dryRun: boolean }>> {
  const target = { developerId, principalId: principalId ?? null, agentId: agentId ?? null };
  return telemetry.inSpan('grantex.grant.revoke', {}, async () => {
    const now = new Date(clock.now());
    const stop = { ...target, now, traceparent: activeTraceParent() };
    const { total, isEstimate } = dryRun
      ? await countStoppable(db, { ...target, now })
      : await db.transaction((tx) => insertStop(tx, stop));
    return done({ revoked: total, ...(isEstimate && { revokedIsEstimate: true as const }), dryRun });
  });
}
