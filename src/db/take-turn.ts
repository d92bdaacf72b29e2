import { bool, text } from './column-types.ts';
import { query } from './query.ts';
import type { Queryable } from './queryable.ts';

// `pg_advisory_xact_lock` returns void, which is not a value that can be read.
const lock = query({
  operation: 'SELECT',
  name: 'take_turn.lock',
  text: 'select pg_advisory_xact_lock(hashtextextended($name, 0)) is null as locked',
  params: { name: text },
  row: { locked: bool },
});

/**
 * Waits until no other transaction, on any replica, has the turn of this name. The turn lasts until `tx` ends. Count rows in
 * a later statement. Under READ COMMITTED the statement that waits does not see rows that were added meanwhile.
 */
export async function takeTurn(tx: Queryable, name: string): Promise<void> {
  await tx.all(lock, { name });
}
