import type { Queryable } from '../db/queryable.ts';
import { describeStatement } from '../telemetry/database.ts';

const name = describeStatement({
  operation: 'SELECT',
  collection: 'developers',
  name: 'principal_sessions.developer_name',
  text: 'select name from developers where id = $1',
});

/** The name of the developer that a session belongs to; undefined when there is none any more. */
export async function developerName(db: Queryable, developerId: string): Promise<string | undefined> {
  const [developer] = await db.rows<{ name: string }>(name, [developerId]);
  return developer?.name;
}
