/** `npm run migrate`: migrations alone, against DATABASE_URL or the embedded database. */
import { loadConfig } from '../config.ts';
import { migrate } from '../db/migrate.ts';
import { openDatabaseBeside } from '../db/open.ts';
import { runCommand } from './run-command.ts';

await runCommand(async (print) => {
  const database = await openDatabaseBeside(loadConfig(process.env));
  try {
    const { applied } = await migrate(database.url);
    print(applied.length === 0 ? 'nothing to do: the schema is current' : `applied ${applied.join(', ')}`);
  } finally {
    await database.close();
  }
});
