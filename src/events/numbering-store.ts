// The numbering of the event stream (`feed/numbering-store.ts`), who follows it, and what leaves it.
import { bigint, float, int, orNull, text, texts } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import type { Look } from '../feed/keep-numbers.ts';
import { NEXT_SEQ, numberRows, takeNumberingTurn } from '../feed/numbering-store.ts';

const look = query({
  operation: 'SELECT',
  collection: 'feed_positions',
  name: 'events.look',
  text: `select last_seq::float8 as "lastSeq", extract(epoch from clock_timestamp() -
      (select written_at from event_outbox order by id limit 1))::float8 as "waitingSeconds"
    from feed_positions where feed = 'events'`,
  params: {},
  row: { lastSeq: float, waitingSeconds: orNull(float) },
});

const number = query({
  operation: 'INSERT',
  collection: 'events',
  name: 'events.number',
  text: numberRows(
    'events',
    'event_outbox',
    `insert into events (seq, developer_id, event_id, type, data, created_at, written_at)
      select ${NEXT_SEQ}, developer_id, event_id, type, data, created_at, written_at
      from taken, feed_positions where feed = 'events'`,
  ),
  params: { limit: bigint },
  row: { taken: int },
});

const RETENTION = "interval '24 hours'";
const forget = query({
  operation: 'DELETE',
  collection: 'events',
  name: 'events.forget_old',
  text: `with gone as (
      delete from events where seq = any(array(select seq from events order by seq limit $limit))
        and written_at < clock_timestamp() - ${RETENTION}
      returning seq, developer_id, type, event_id),
    remembered as (
      insert into removed_events (developer_id, type, seq, event_id)
      select distinct on (developer_id, type) developer_id, type, seq, event_id
      from gone join event_followers using (developer_id) order by developer_id, type, seq desc
      on conflict (developer_id, type) do update set seq = excluded.seq, event_id = excluded.event_id
        where removed_events.seq < excluded.seq)
    select count(*)::int as removed from gone`,
  params: { limit: bigint },
  row: { removed: int },
});

// Twice the retention: who comes back later could not go on anyway.
const FOLLOWS = "clock_timestamp() + interval '48 hours'";
const follow = query({
  operation: 'INSERT',
  collection: 'event_followers',
  name: 'events.follow',
  text: `insert into event_followers (developer_id, since_seq, until)
    select $developerId, last_seq, ${FOLLOWS} from feed_positions where feed = 'events'
    on conflict (developer_id) do update set until = excluded.until
      where event_followers.until < excluded.until - interval '1 hour'`,
  params: { developerId: text },
  row: {},
});
const renew = query({
  operation: 'UPDATE',
  collection: 'event_followers',
  name: 'events.renew',
  text: `update event_followers set until = ${FOLLOWS}
    where developer_id = any($developerIds) and until < ${FOLLOWS} - interval '1 hour'`,
  params: { developerIds: texts },
  row: {},
});
const unfollow = query({
  operation: 'DELETE',
  collection: 'event_followers',
  name: 'events.unfollow',
  text: `with gone as (delete from event_followers where until < clock_timestamp() returning developer_id)
    delete from removed_events where developer_id in (select developer_id from gone)`,
  params: {},
  row: {},
});

/** Two looks into indexes, whatever the tables hold. */
export const lookAtEvents = (db: Queryable): Promise<Look> => db.only(look, {});

/**
 * Numbers up to `limit` events. Run it in a transaction.
 * @returns whether there may be more; false also while another replica numbers
 */
export async function numberEvents(tx: Queryable, limit: number): Promise<boolean> {
  if (!(await takeNumberingTurn(tx, 'events'))) return false;
  return (await tx.only(number, { limit })).taken === limit;
}

/** Removes events that are older than 24 hours, among the `limit` first ones. @returns how many */
export const forgetOldEvents = async (db: Queryable, limit: number): Promise<number> =>
  (await db.only(forget, { limit })).removed;

/** From its commit on, the events of the developer are kept, for 48 hours or until they are asked for again. */
export async function follow48Hours(db: Queryable, developerId: string): Promise<void> {
  await db.all(follow, { developerId });
}

/** The same for developers whose streams are open. Those of all others whose time is over are kept no longer. */
export async function renewFollowers(db: Queryable, developerIds: readonly string[]): Promise<void> {
  if (developerIds.length > 0) await db.all(renew, { developerIds });
  await db.all(unfollow, {});
}
