// Readers see numbered events only, and those up to `last_seq` are complete: both are of one snapshot.
import { bigint, bool, float, json, orNull, text, textOf, texts, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import type { Event } from './event.ts';
import type { EventType } from './event-types.ts';

/** An event with its place in the stream. */
export interface NumberedEvent extends Event {
  readonly seq: number;
}

const COLUMNS = (event: string) =>
  `${event}.seq::float8 as seq, ${event}.event_id as id, ${event}.type, ${event}.created_at as "createdAt", ${event}.data`;

const after = query({
  operation: 'SELECT',
  collection: 'events',
  name: 'events.after',
  text: `select last_seq::float8 as "lastSeq", ${COLUMNS('event')}
    from feed_positions left join lateral (
      select * from events where developer_id = $developerId and seq > $after order by seq limit $limit) event on true
    where feed = 'events' order by event.seq`,
  params: { developerId: text, after: bigint, limit: bigint },
  row: {
    lastSeq: float,
    seq: orNull(float),
    id: orNull(text),
    type: orNull(textOf<EventType>()),
    createdAt: orNull(timestamp),
    data: orNull(json<Event['data']>()),
  },
});

const newest = query({
  operation: 'SELECT',
  collection: 'events',
  name: 'events.newest',
  text: `select ${COLUMNS('events')}, developer_id as "developerId",
      extract(epoch from clock_timestamp() - written_at)::float8 as "ageSeconds"
    from events where seq > $after and seq <= $until and developer_id = any($developerIds)
    order by events.seq limit $limit`,
  params: { after: bigint, until: bigint, developerIds: texts, limit: bigint },
  row: {
    seq: float,
    id: text,
    type: textOf<EventType>(),
    createdAt: timestamp,
    data: json<Event['data']>(),
    developerId: text,
    ageSeconds: float,
  },
});

// A reader that has an event may go on from it when nothing that it waits for has been removed since.
const place = query({
  operation: 'SELECT',
  collection: 'events',
  name: 'events.place',
  text: `select seq::float8 as seq,
      seq > since_seq and not exists (select from removed_events
        where developer_id = $developerId and type = any($types) and removed_events.seq > known.seq) as complete
    from event_followers cross join lateral (
      select seq from events where event_id = $id and events.developer_id = $developerId
      union all
      select seq from removed_events where developer_id = $developerId and event_id = $id
      limit 1) known
    where developer_id = $developerId`,
  params: { developerId: text, id: text, types: texts },
  row: { seq: float, complete: bool },
});

/** The first `limit` events of a developer after a number, and the number that had been given last. */
export async function eventsAfter(
  db: Queryable,
  asked: { developerId: string; after: number; limit: number },
): Promise<{ readonly events: readonly NumberedEvent[]; readonly lastSeq: number }> {
  const rows = await db.all(after, asked);
  // One row with nulls where there is no event: `lastSeq` is always told.
  return {
    events: rows.filter((row): row is typeof row & NumberedEvent => row.seq !== null),
    lastSeq: rows[0]?.lastSeq ?? 0,
  };
}

/** The first `limit` events of these developers in (`after`, `until`], in their order. `ageSeconds` is by the database's clock. */
export const newestEvents = (
  db: Queryable,
  asked: { after: number; until: number; developerIds: readonly string[]; limit: number },
): Promise<(NumberedEvent & { readonly developerId: string; readonly ageSeconds: number })[]> =>
  db.all(newest, asked);

/**
 * The number of an event of the developer, from which a reader that waits for `types` can go on without a gap; null: it is
 * not known, or something of these types has been removed since.
 */
export async function placeOf(
  db: Queryable,
  asked: { developerId: string; id: string; types: readonly EventType[] },
): Promise<number | null> {
  const found = await db.first(place, asked);
  return found?.complete ? found.seq : null;
}
