import type { Queryable } from '../db/queryable.ts';
import type { Deps } from '../deps.ts';
import { notFound } from '../errors.ts';
import type { RevokedBy } from '../telemetry/events.ts';
import { activeTraceParent } from '../telemetry/trace-parent.ts';
import type { Outbox } from '../webhooks/outbox-store.ts';
import { type RevokedRow, revokeGrantTrees } from './store.ts';

/** What a revocation did, to be recorded once its transaction has committed. */
export interface Revocation {
  readonly developerId: string;
  readonly revokedBy: RevokedBy;
  readonly rows: readonly RevokedRow[];
}

interface Target {
  readonly developerId: string;
  readonly grantId: string;
}

/**
 * Revokes a grant with everything delegated from it, atomically; their tokens and refresh tokens die with them.
 * @throws NOT_FOUND when there is no such active grant
 */
export function revokeGrant(
  deps: Deps,
  target: Target & { revokedBy: 'developer' | 'principal' },
): Promise<void> {
  return deps.telemetry.inSpan('grantex.grant.revoke', {}, async () => {
    if (!(await revokeTree(deps, target))) throw notFound('Active grant');
  });
}

/** The same because a secret of the grant was used twice. That it is revoked already is then as good. */
export async function revokeMisusedGrant(
  deps: Deps,
  target: Target & { revokedBy: 'code_replay' | 'refresh_reuse' },
): Promise<void> {
  await deps.telemetry.inSpan('grantex.grant.revoke', {}, () => revokeTree(deps, target));
}

/** @returns false when there was no such active grant */
async function revokeTree(deps: Deps, target: Target & { revokedBy: RevokedBy }): Promise<boolean> {
  const now = new Date(deps.clock.now());
  const outbox = outboxOf(deps, now);
  const rows = await deps.db.transaction((tx) => revokeGrantTrees(tx, { ...target, now }, outbox));
  recordRevocation(deps, { ...target, rows });
  return rows.length > 0;
}

/** Revokes all grants of an agent, within the transaction that removes it. The caller records it after the commit. */
export async function revokeGrantsOfAgent(
  deps: Deps,
  tx: Queryable,
  target: { developerId: string; agentId: string; now: Date },
): Promise<Revocation> {
  const revokedBy = 'agent_deleted';
  return {
    developerId: target.developerId,
    revokedBy,
    rows: await revokeGrantTrees(tx, { ...target, revokedBy }, outboxOf(deps, target.now)),
  };
}

const outboxOf = ({ ids, config }: Deps, now: Date): Outbox => ({
  seed: ids.next('evt', now.getTime()),
  traceparent: activeTraceParent(),
  maxAttempts: config.webhookMaxAttempts,
});

/** After the commit: one event for each tree that fell, named by its topmost grant; and webhooks are told without delay. */
export function recordRevocation(deps: Deps, { developerId, revokedBy, rows }: Revocation): void {
  if (rows.some(({ enqueued }) => enqueued)) deps.deliveriesDue();
  const byId = new Map(rows.map((row) => [row.id, row]));
  const topOf = (row: RevokedRow): RevokedRow => {
    const parent = row.parentGrantId === null ? undefined : byId.get(row.parentGrantId);
    return parent ? topOf(parent) : row;
  };
  for (const [top, members] of Map.groupBy(rows, topOf))
    deps.telemetry.events.grantRevoked({
      grantId: top.id,
      developerId,
      revokedBy,
      cascadeCount: members.length - 1,
      revokedByAgent: new Map(
        [...Map.groupBy(members, (row) => row.agentId)].map(([id, of]) => [id, of.length]),
      ),
    });
}
