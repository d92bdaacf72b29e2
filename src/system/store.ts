import type { Queryable } from '../db/client.ts';
import { describeStatement } from '../telemetry/database.ts';

const one = describeStatement({
  operation: 'SELECT',
  collection: 'health',
  name: 'system.ping',
  text: 'select 1 as one',
});

/** Resolves when the database answers. */
export async function ping(db: Queryable): Promise<void> {
  await db.rows(one, []);
}
