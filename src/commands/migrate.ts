/** `npm run migrate`: migrations alone, against DATABASE_URL or the embedded database. */
import { loadConfig } from '../config.ts';
import { hasCluster } from '../data-dir.ts';
import { openDatabaseBeside, reachDatabase } from '../database-source.ts';
import { migrate } from '../db/migrate.ts';
import { loadSecretKey } from '../secrets/secret-key.ts';
import { readWords } from './read-words.ts';
import { runCommand, usageError } from './run-command.ts';

const USAGE = `usage: npm run migrate

Brings the database (DATABASE_URL, or the embedded one) up to date: the tables of the service and of its job queue. A start
of the service does the same, unless MIGRATE_ON_START=false.
Exit codes: 0 done, or nothing to do; 1 it failed; 2 bad usage; 78 bad configuration.

  --help
`;

await runCommand(async (print) => {
  const words = readWords(process.argv.slice(2));
  if (!words) return print(USAGE.trimEnd());
  if (words.length > 0) throw usageError(`Unexpected argument '${words[0]}'`);
  const config = loadConfig(process.env, { sealing: false });
  // The key is always older than the database: a start that finds the database alone takes the key for lost.
  if (config.databaseUrl === null && !hasCluster(config.dataDir)) await loadSecretKey(config);
  const database = await openDatabaseBeside(config);
  try {
    await reachDatabase(database);
    const { applied } = await migrate(database.url, { upgradeJobs: true });
    print(applied.length === 0 ? 'nothing to do: the schema is current' : `applied ${applied.join(', ')}`);
  } finally {
    await database.close();
  }
});
