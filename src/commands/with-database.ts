import type { Config } from '../config.ts';
import { openDatabaseBeside, reachDatabase } from '../database-source.ts';
import { type Database, openDatabase } from '../db/client.ts';
import { COMMAND_LIMITS } from '../db/limits.ts';
import { assertMigrated } from '../db/migrate.ts';
import { NO_DATABASE_TELEMETRY } from '../telemetry/database.ts';

/**
 * Does a command's work on the service's database, by one connection, which is closed afterwards however that ends.
 * @throws naming DATABASE_URL when it does not answer; when migrations are missing; what `work` throws
 */
export async function withDatabase(config: Config, work: (db: Database) => Promise<void>): Promise<void> {
  await using undo = new AsyncDisposableStack();
  const source = await openDatabaseBeside(config);
  undo.defer(() => source.close());
  await reachDatabase(source);
  const { url } = source;
  const db = openDatabase({
    url,
    poolMax: 1,
    telemetry: NO_DATABASE_TELEMETRY,
    limits: COMMAND_LIMITS,
    onConnectionError: () => undefined,
  });
  undo.defer(() => db.close(1000));
  await assertMigrated(url);
  await work(db);
}
