import type { Connections } from '../db/client.ts';
import { int, text } from '../db/column-types.ts';
import { isDiskFull } from '../db/errors.ts';
import { query } from '../db/query.ts';

const littleMemory = query({
  operation: 'SELECT',
  collection: 'health',
  name: 'system.little_memory',
  text: `select set_config('work_mem', '64kB', true) as memory`,
  params: {},
  row: { memory: text },
});
// Some 300 kB, for which there is no memory: the server writes them to its disk, and removes them again.
const spill = query({
  operation: 'SELECT',
  collection: 'health',
  name: 'system.spill',
  text: 'select count(*)::int as lines from generate_series(1, 10000)',
  params: {},
  row: { lines: int },
});

/**
 * Whether the server can still write to its disk. Its temporary file leaves nothing behind, neither rows nor log.
 * @throws when it cannot be asked
 */
export async function hasRoom(db: Connections): Promise<boolean> {
  try {
    await db.transaction(async (tx) => {
      await tx.all(littleMemory, {});
      await tx.all(spill, {});
    });
    return true;
  } catch (error) {
    if (isDiskFull(error)) return false;
    throw error;
  }
}
