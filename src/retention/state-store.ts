// Which replica removes, and how far it has come.
import { bool, int, smallint, text, textOf, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import type { GrantPosition } from './grants-store.ts';

// The database's clock decides, because the clocks of replicas may differ.
const take = query({
  operation: 'UPDATE',
  collection: 'retention_turn',
  name: 'retention.take_turn',
  text: `update retention_turn set holder = $holder, held_until = now() + make_interval(secs => $seconds::int)
    where held_until <= now() or holder = $holder returning only_row`,
  params: { holder: text, seconds: int },
  row: { only_row: bool },
});
const giveBack = query({
  operation: 'UPDATE',
  collection: 'retention_turn',
  name: 'retention.give_turn_back',
  text: 'update retention_turn set held_until = now() where holder = $holder',
  params: { holder: text },
  row: {},
});

/** Takes the turn, or keeps it, for so many seconds. @returns false while another holder has it */
export const takeRetentionTurn = async (db: Queryable, holder: string, seconds: number): Promise<boolean> =>
  (await db.first(take, { holder, seconds })) !== undefined;

/** Lets another replica go on at once. */
export async function giveRetentionTurnBack(db: Queryable, holder: string): Promise<void> {
  await db.all(giveBack, { holder });
}

/** What is passed once and for all, so that what stays is not looked at again. */
type Walk = 'used_refresh_tokens' | 'tokens_of_grants';

const load = query({
  operation: 'SELECT',
  collection: 'retention_positions',
  name: 'retention.position',
  text: 'select at, depth, id from retention_positions where name = $name',
  params: { name: textOf<Walk>() },
  row: { at: timestamp, depth: smallint, id: text },
});
const save = query({
  operation: 'INSERT',
  collection: 'retention_positions',
  name: 'retention.save_position',
  text: `insert into retention_positions (name, at, depth, id) values ($name, $at, $depth, $id)
    on conflict (name) do update set at = excluded.at, depth = excluded.depth, id = excluded.id`,
  params: { name: textOf<Walk>(), at: timestamp, depth: smallint, id: text },
  row: {},
});

/** Before every row. */
export const BEGINNING: GrantPosition = { at: new Date(0), depth: 0, id: '' };

/** Where a walk has come to. */
export const walkPosition = async (db: Queryable, name: Walk): Promise<GrantPosition> =>
  (await db.first(load, { name })) ?? BEGINNING;

/** Keeps where a walk has come to. A crash before it costs a second look at the rows in between. */
export async function saveWalkPosition(
  db: Queryable,
  name: Walk,
  { at, depth, id }: GrantPosition,
): Promise<void> {
  await db.all(save, { name, at, depth, id });
}
