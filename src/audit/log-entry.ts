import type { Developer } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { isRefused, mapOutcome, type Outcome } from '../outcome.ts';
import type { AuditInput, ChainWriter } from './chain-writer.ts';
import type { AuditRow } from './store.ts';

/**
 * Appends an entry to the developer's chain. Writers of one developer wait for each other across all replicas, so the
 * chain never forks. BAD_REQUEST when the agent or the grant does not belong to the developer, unless the entry itself
 * says who acted and for whom. PLAN_LIMIT_EXCEEDED when the day (UTC) already has `MAX_AUDIT_ENTRIES_PER_DAY` entries of
 * the developer.
 */
export async function logEntry(
  { activity, writeChain }: Pick<Deps, 'activity'> & { readonly writeChain: ChainWriter },
  { id: developerId }: Pick<Developer, 'id'>,
  input: AuditInput,
): Promise<Outcome<AuditRow>> {
  const appended = await writeChain(developerId, input);
  // What a developer says of an agent that is another's must not touch that agent.
  if (!isRefused(appended) && appended.value.known && input.status !== 'success')
    activity.agentActed(input.agentId);
  return mapOutcome(appended, ({ row }) => row);
}
