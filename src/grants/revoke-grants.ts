import type { Queryable } from '../db/client.ts';
import type { Deps } from '../deps.ts';
import type { Events, RevokedBy } from '../telemetry/events.ts';
import { type RevokedRow, revokeGrantTrees } from './store.ts';

/** What a revocation did, to be recorded once its transaction has committed. */
export interface Revocation {
  readonly developerId: string;
  readonly revokedBy: RevokedBy;
  readonly rows: readonly RevokedRow[];
}

/**
 * Revokes a grant with everything delegated from it, atomically; their tokens and refresh tokens die with them. Every
 * path that revokes ends here.
 * @returns false when there was no such active grant
 */
export async function revokeGrant(
  { db, clock, telemetry }: Pick<Deps, 'db' | 'clock' | 'telemetry'>,
  target: { developerId: string; grantId: string; revokedBy: RevokedBy },
): Promise<boolean> {
  return telemetry.inSpan('grantex.grant.revoke', {}, async () => {
    const now = new Date(clock.now());
    const rows = await db.transaction((tx) => revokeGrantTrees(tx, { ...target, now }));
    recordRevocation(telemetry.events, { ...target, rows });
    return rows.length > 0;
  });
}

/** The same for all grants of an agent, within the transaction that removes it. The caller records it after the commit. */
export async function revokeGrantsOfAgent(
  tx: Queryable,
  target: { developerId: string; agentId: string; now: Date },
): Promise<Revocation> {
  const revokedBy = 'agent_deleted';
  return {
    developerId: target.developerId,
    revokedBy,
    rows: await revokeGrantTrees(tx, { ...target, revokedBy }),
  };
}

/** One event for each tree that fell, named by its topmost grant. */
export function recordRevocation(events: Events, { developerId, revokedBy, rows }: Revocation): void {
  const byId = new Map(rows.map((row) => [row.id, row]));
  const topOf = (row: RevokedRow): RevokedRow => {
    const parent = row.parentGrantId === null ? undefined : byId.get(row.parentGrantId);
    return parent ? topOf(parent) : row;
  };
  for (const [top, members] of Map.groupBy(rows, topOf))
    events.grantRevoked({
      grantId: top.id,
      developerId,
      revokedBy,
      cascadeCount: members.length - 1,
      revokedByAgent: new Map(
        [...Map.groupBy(members, (row) => row.agentId)].map(([id, of]) => [id, of.length]),
      ),
    });
}
