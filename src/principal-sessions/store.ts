import { text } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';

const name = query({
  operation: 'SELECT',
  collection: 'developers',
  name: 'principal_sessions.developer_name',
  text: 'select name from developers where id = $id',
  params: { id: text },
  row: { name: text },
});

/** The name of the developer that a session belongs to; undefined when there is none any more. */
export const developerName = async (db: Queryable, id: string): Promise<string | undefined> =>
  (await db.first(name, { id }))?.name;
