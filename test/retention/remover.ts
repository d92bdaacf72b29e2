import { loadConfig } from '../../src/config.ts';
import { removeEnded } from '../../src/retention/remove-ended.ts';
import type { TestDatabase } from '../support/database.ts';
import { openTestDatabase } from '../support/open-database.ts';
import { startHarness } from '../telemetry/harness.ts';

/** Retention as the service has it, without waiting for its turn and without pauses. */
export async function openRemover(database: TestDatabase, env: Record<string, string> = {}) {
  const harness = startHarness();
  const db = await openTestDatabase(database);
  const config = loadConfig({ ...env });
  const clock = { now: () => Date.now() };
  const deps = { db, config, clock, telemetry: harness.telemetry };
  return {
    config,
    db,
    harness,
    /** Removes all that is due. `pace` may end it early. */
    run: (pace: () => Promise<boolean> = async () => true) => removeEnded(deps, pace),
    /** What the counter says, by table; tables without removals are left out. */
    async counted(): Promise<Record<string, number>> {
      const samples = await harness.samples();
      return Object.fromEntries(
        [...samples].flatMap(([series, value]) => {
          const table = /^grantex_retention_removed_total\{table="(\w+)"\}$/.exec(series)?.[1];
          return table && value > 0 ? [[table, value]] : [];
        }),
      );
    },
    async close() {
      await db.close(1000);
      await harness.stop();
    },
  };
}
