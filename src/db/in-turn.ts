import { describeStatement } from '../telemetry/database.ts';
import type { Queryable } from './client.ts';

const lock = describeStatement({
  operation: 'SELECT',
  name: 'in_turn.lock',
  text: 'select pg_advisory_xact_lock(hashtextextended($1, 0))',
});

/**
 * Waits until no other transaction, on whatever replica, is in its turn with this name; the turn lasts until `tx` ends. What
 * is counted in it by a later statement holds: under READ COMMITTED a statement of its own does not see what was added
 * while it waited.
 */
export async function inTurn(tx: Queryable, name: string): Promise<void> {
  await tx.rows(lock, [name]);
}
