import { agentDid } from '../ids.ts';
import type { Deps } from '../deps.ts';
import { notFound } from '../errors.ts';
import { type AuditStatus, entryHash } from './chain.ts';
import { type AuditRow, appendEntry, lockChain, principalOf } from './store.ts';

export interface AuditInput {
  readonly agentId: string;
  readonly agentDid: string | undefined;
  readonly grantId: string;
  readonly principalId: string | undefined;
  readonly action: string;
  readonly status: AuditStatus;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/**
 * Appends an entry to the developer's chain. Writers of one developer wait for each other, on whatever replica they run,
 * so the chain never forks and its times never go back.
 * @throws NOT_FOUND when the agent or the grant is not the developer's
 */
export async function logEntry(
  { db, ids, clock, anomalies }: Deps,
  developerId: string,
  input: AuditInput,
): Promise<AuditRow> {
  const row = await db.transaction(async (tx) => {
    const principalId = await principalOf(tx, developerId, input.agentId, input.grantId);
    if (principalId === undefined) throw notFound('Agent or grant');
    const prevHash = await lockChain(tx, developerId);
    const now = clock.now();
    const createdAt = new Date(now);
    const entry = { ...input, entryId: ids.next('alog', now), timestamp: createdAt.toISOString(), prevHash };
    const row: AuditRow = {
      ...input,
      id: entry.entryId,
      developerId,
      agentDid: input.agentDid ?? agentDid(input.agentId),
      principalId: input.principalId ?? principalId,
      createdAt,
      hash: entryHash(entry),
      prevHash,
    };
    await appendEntry(tx, row);
    return row;
  });
  if (row.status !== 'success') anomalies.agentActed(row.agentId);
  return row;
}
