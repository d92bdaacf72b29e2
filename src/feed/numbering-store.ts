// The numbering of a feed. Whoever holds its row of `feed_positions` numbers what is committed, and commits the numbers
// before another one can number: a reader that sees a number sees all numbers below it.
import { text } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import type { FeedName } from './held-connections.ts';

const turn = query({
  operation: 'SELECT',
  collection: 'feed_positions',
  name: 'feeds.take_turn',
  text: 'select feed from feed_positions where feed = $feed for update skip locked',
  params: { feed: text },
  row: { feed: text },
});

/** Whether `tx` may number the feed until it ends; false while another replica does. It waits for nobody. */
export const takeNumberingTurn = async (tx: Queryable, feed: FeedName): Promise<boolean> =>
  (await tx.first(turn, { feed })) !== undefined;

/**
 * The statement that numbers up to $limit rows of an outbox, in the order in which they were written. Its row says how many
 * were `taken`.
 * @param insert stores them. It reads `taken`, the rows of the outbox, and `NEXT_SEQ`; a row that it leaves out leaves its
 * number unused
 */
export const numberRows = (feed: FeedName, outbox: string, insert: string): string => `with taken as (
      delete from ${outbox} where id = any(array(select id from ${outbox} order by id limit $limit))
      returning *),
    numbered as (
      ${insert}),
    moved as (
      update feed_positions set last_seq = last_seq + (select count(*) from taken)
      where feed = '${feed}' and exists (select from taken))
    select count(*)::int as taken from taken`;

/** The number of a row of `taken`, where `feed_positions` is read too. */
export const NEXT_SEQ = 'last_seq + row_number() over (order by id)';
