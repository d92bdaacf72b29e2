// All grants of a developer, in small statements.
import { bigint, text, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import { COLUMNS, type Grant, grantRow } from './store.ts';

// A position is text: a Date would lose the microseconds of rows that have them, and the same rows would come again.
const after = query({
  operation: 'SELECT',
  collection: 'grants',
  name: 'grants.after',
  text: `select ${COLUMNS}, issued_at::text as position from grants
    where developer_id = $developerId and (issued_at, id) > ($at::text::timestamptz, $id) and issued_at <= $until
    order by issued_at, id limit $limit`,
  params: { developerId: text, at: text, id: text, until: timestamp, now: timestamp, limit: bigint },
  row: { ...grantRow, position: text },
});

/** The first grants behind a position that were issued until a time, oldest first. */
export const grantsAfter = (
  db: Queryable,
  of: { developerId: string; at: string; id: string; until: Date; now: Date; limit: number },
): Promise<(Grant & { position: string })[]> => db.all(after, of);
