import type { Developer } from '../caller.ts';
import type { Queryable } from '../db/queryable.ts';
import type { Deps } from '../deps.ts';
import { notFound } from '../errors.ts';
import type { Outbox } from '../events/outbox-store.ts';
import { done, type Outcome, refuse } from '../outcome.ts';
import type { RevokedBy } from '../telemetry/event-fields.ts';
import { activeTraceParent } from '../telemetry/trace-parent.ts';
import { insertRemoval, type Removal } from './removal-marks-store.ts';
import { lockTree, type RevokedRow, revokeGrantTrees } from './revocation-store.ts';

export type RevokeDeps = Pick<Deps, 'db' | 'ids' | 'clock' | 'config' | 'telemetry' | 'deliveriesDue'>;

/** The effect of a revocation, for the events that follow the commit. */
export interface Revocation {
  readonly developerId: string;
  readonly revokedBy: RevokedBy;
  readonly rows: readonly RevokedRow[];
}

interface GrantToRevoke {
  readonly developerId: string;
  readonly grantId: string;
  readonly revokedBy: RevokedBy;
}

/**
 * Revokes a grant and everything delegated from it, atomically. Their tokens and refresh tokens stop working at the
 * same time. NOT_FOUND when the developer has no such active grant.
 */
export const revokeGrant = (
  deps: RevokeDeps,
  { id: developerId }: Pick<Developer, 'id'>,
  grantId: string,
): Promise<Outcome<null>> => revokeTree(deps, { developerId, grantId, revokedBy: 'developer' });

/** Revokes a grant because one of its secrets was used twice. A grant that is already revoked is fine. */
export async function revokeMisusedGrant(
  deps: RevokeDeps,
  grant: GrantToRevoke & { revokedBy: 'code_replay' | 'refresh_reuse' },
): Promise<void> {
  await deps.telemetry.inSpan('grantex.grant.revoke', {}, () => revoke(deps, grant));
}

/** Revokes a grant for its developer or principal. NOT_FOUND when there is no such active grant. */
export function revokeTree(deps: RevokeDeps, grant: GrantToRevoke): Promise<Outcome<null>> {
  return deps.telemetry.inSpan('grantex.grant.revoke', {}, async () =>
    (await revoke(deps, grant)) ? done(null) : refuse(notFound('Active grant')),
  );
}

/** @returns false when there was no such active grant */
async function revoke(deps: RevokeDeps, grant: GrantToRevoke): Promise<boolean> {
  const now = new Date(deps.clock.now());
  const outbox = outboxOf(deps, now);
  const rows = await deps.db.transaction(async (tx) => {
    const revoked = await revokeGrantTrees(tx, { ...grant, now }, outbox);
    if (revoked) return revoked;
    // The whole tree is dead at the commit. A job revokes its rows, and tells of them.
    return (await insertRemoval(tx, removalOf(grant, now))) ? null : [];
  });
  if (!rows) return true;
  recordRevocation(deps, { ...grant, rows });
  return rows.length > 0;
}

/**
 * Revokes all grants of an agent within the transaction that removes the agent. The caller records it after the commit.
 */
export async function revokeGrantsOfAgent(
  deps: RevokeDeps,
  tx: Queryable,
  agent: { developerId: string; agentId: string; now: Date },
): Promise<Revocation> {
  const revokedBy = 'agent_deleted';
  return {
    developerId: agent.developerId,
    revokedBy,
    rows: (await revokeGrantTrees(tx, { ...agent, revokedBy }, outboxOf(deps, agent.now))) ?? [],
  };
}

/**
 * Kills all grants of an agent, and everything delegated from them, at the commit of the transaction that marks the agent as
 * removed. A job revokes their rows, tells of each, and removes the agent at last.
 */
export async function removeGrantsLater(
  tx: Queryable,
  { developerId, agentId, now }: { developerId: string; agentId: string; now: Date },
): Promise<void> {
  const removal = removalOf({ developerId, revokedBy: 'agent_deleted' }, now);
  await insertRemoval(tx, { ...removal, agentId, removesAgent: true });
}

/**
 * Kills a grant of a developer, and everything delegated from it, at the commit of `tx`. A job revokes the rows and tells of each.
 * @returns false when it is dead already
 */
export async function removeTreeLater(
  tx: Queryable,
  { developerId, grantId, now }: { developerId: string; grantId: string; now: Date },
): Promise<boolean> {
  await lockTree(tx, { developerId, grantId });
  return insertRemoval(tx, removalOf({ developerId, grantId, revokedBy: 'developer' }, now));
}

const removalOf = (
  {
    developerId,
    grantId = null,
    revokedBy,
  }: Pick<Revocation, 'developerId' | 'revokedBy'> & {
    readonly grantId?: string | null;
  },
  removedAt: Date,
): Removal => ({
  developerId,
  agentId: null,
  principalId: null,
  grantId,
  removesAgent: false,
  revokedBy,
  removedAt,
  traceparent: activeTraceParent(),
});

const outboxOf = ({ ids, config }: RevokeDeps, now: Date): Outbox => ({
  seed: ids.next('evt', now.getTime()),
  traceparent: activeTraceParent(),
  maxAttempts: config.webhookMaxAttempts,
});

/**
 * Records one event for each revoked tree, named by its topmost grant, and wakes the delivery workers. Call it after
 * the commit.
 */
export function recordRevocation(deps: RevokeDeps, { developerId, revokedBy, rows }: Revocation): void {
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
