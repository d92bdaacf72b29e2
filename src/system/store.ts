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
// The rows need some 300 kB, which exceeds the small work_mem. The server therefore writes a temporary file to its
// disk.
const spill = query({
  operation: 'SELECT',
  collection: 'health',
  name: 'system.spill',
  text: 'select count(*)::int as lines from generate_series(1, 10000)',
  params: {},
  row: { lines: int },
});

/**
 * Whether the server can still write to its disk. It tries with a temporary file, which leaves neither rows nor log
 * behind.
 * @throws when the server cannot be reached
 */
export async function hasDiskSpace(db: Connections): Promise<boolean> {
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
