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

/** The name of the developer of a session; undefined when the developer no longer exists. */
export const developerName = async (db: Queryable, id: string): Promise<string | undefined> =>
  (await db.first(name, { id }))?.name;
