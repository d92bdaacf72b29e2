/** `npm run migrate`: migrations alone, against DATABASE_URL or the embedded database. */
import { loadConfig } from '../config.ts';
import { hasCluster } from '../data-dir.ts';
import { migrate } from '../db/migrate.ts';
import { openDatabaseBeside, reachDatabase } from '../db/open.ts';
import { loadSecretKey } from '../keys/secret-key.ts';
import { runCommand } from './run-command.ts';

await runCommand(async (print) => {
  const config = loadConfig(process.env, { sealing: false });
  // The key is always older than the database: a start that finds the database alone takes the key for lost.
  if (config.databaseUrl === null && !hasCluster(config.dataDir)) await loadSecretKey(config);
  const database = await openDatabaseBeside(config);
  try {
    const { url } = await reachDatabase(database);
    const { applied } = await migrate(url, { upgradeJobs: true });
    print(applied.length === 0 ? 'nothing to do: the schema is current' : `applied ${applied.join(', ')}`);
  } finally {
    await database.close();
  }
});
