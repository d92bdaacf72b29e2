/** What an operator does without the key of a developer. Each holds at its commit, for every replica. */
import { updateAgent } from '../agents/store.ts';
import type { Deps } from '../deps.ts';
import { removeTreeLater } from '../grants/revoke-grants.ts';
import {
  type AgentRow,
  type GrantRow,
  insertOperatorChange,
  type OperatorChange,
  suspendDeveloperRow,
} from './store.ts';

type ActDeps = Pick<Deps, 'db' | 'clock'>;
type Change = OperatorChange['change'];

/**
 * Suspends a developer, whose API keys then open nothing, or lets it go on. Its grants stay as they are.
 * @returns false when the developer does not exist, or is in that state already
 */
export const changeDeveloper = ({ db, clock }: ActDeps, id: string, change: Change): Promise<boolean> =>
  db.transaction(async (tx) => {
    const suspendedAt = change === 'suspended' ? new Date(clock.now()) : null;
    const changed = await suspendDeveloperRow(tx, { id, suspendedAt });
    if (changed) await insertOperatorChange(tx, { developerId: id, agentId: null, change });
    return changed;
  });

/**
 * Suspends an agent, or lets it go on, as PATCH /v1/agents/:id does.
 * @returns false when it is gone
 */
export const changeAgentStatus = (
  { db, clock }: ActDeps,
  { id, developerId }: Pick<AgentRow, 'id' | 'developerId'>,
  change: Change,
): Promise<boolean> =>
  db.transaction(async (tx) => {
    const status = change === 'suspended' ? 'suspended' : 'active';
    const agent = await updateAgent(tx, { id, developerId }, { status }, new Date(clock.now()));
    if (agent) await insertOperatorChange(tx, { developerId, agentId: id, change });
    return agent !== undefined;
  });

/**
 * Revokes a grant and everything delegated from it, in the developer's place. All of it is dead at once; a replica then
 * revokes the rows one by one, with their webhooks, counts and log lines.
 * @returns false when it is dead already
 */
export const revokeGrantNow = (
  { db, clock }: ActDeps,
  { id, developerId }: Pick<GrantRow, 'id' | 'developerId'>,
): Promise<boolean> =>
  db.transaction((tx) => removeTreeLater(tx, { developerId, grantId: id, now: new Date(clock.now()) }));
