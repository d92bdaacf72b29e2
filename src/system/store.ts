import type { Connections } from '../db/client.ts';
import { isDiskFull } from '../db/errors.ts';
import { describeStatement } from '../telemetry/database.ts';

const [littleMemory, spill] = [
  { operation: 'SELECT', name: 'system.little_memory', text: `select set_config('work_mem', '64kB', true)` },
  // Some 300 kB, for which there is no memory: the server writes them to its disk, and removes them again.
  {
    operation: 'SELECT',
    name: 'system.spill',
    text: 'select count(*)::int as lines from generate_series(1, 10000)',
  },
].map((statement) => describeStatement({ ...statement, collection: 'health' }));

/**
 * Whether the server can still write to its disk. Its temporary file leaves nothing behind, neither rows nor log.
 * @throws when it cannot be asked
 */
export async function hasRoom(db: Connections): Promise<boolean> {
  try {
    await db.transaction(async (tx) => {
      for (const statement of [littleMemory, spill]) if (statement) await tx.rows(statement, []);
    });
    return true;
  } catch (error) {
    if (isDiskFull(error)) return false;
    throw error;
  }
}
