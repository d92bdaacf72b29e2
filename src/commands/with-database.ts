import type { Config } from '../config.ts';
import { openDatabaseBeside, reachDatabase } from '../database-source.ts';
import { type Database, openDatabase } from '../db/client.ts';
import { assertMigrated } from '../db/migrate.ts';
import { withoutTelemetry } from './without-telemetry.ts';

/**
 * Does a command's work on the service's database, by one connection, which is closed afterwards however that ends.
 * @throws naming DATABASE_URL when it does not answer; when migrations are missing; what `work` throws
 */
export async function withDatabase(config: Config, work: (db: Database) => Promise<void>): Promise<void> {
  await using undo = new AsyncDisposableStack();
  const opened = await openDatabaseBeside(config);
  undo.defer(() => opened.close());
  const { url } = await reachDatabase(opened);
  const db = openDatabase({
    url,
    poolMax: 1,
    telemetry: withoutTelemetry(),
    onConnectionError: () => undefined,
  });
  undo.defer(() => db.close(1000));
  await assertMigrated(url);
  await work(db);
}
