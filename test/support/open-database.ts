import { type Database, openDatabase } from '../../src/db/client.ts';
import { NO_DATABASE_TELEMETRY } from '../../src/telemetry/database.ts';
import type { TestDatabase } from './database.ts';

/**
 * Opens a test's database as the service does, for calls of a store without a service.
 * @param onStatement called with the name of each measured statement; all other telemetry is off
 */
export const openTestDatabase = async (
  { url }: TestDatabase,
  onStatement: (name: string) => void = () => undefined,
): Promise<Database> =>
  openDatabase({
    url: url,
    poolMax: 2,
    telemetry: {
      ...NO_DATABASE_TELEMETRY,
      statement(statement, _links, run) {
        onStatement(statement.name);
        return run();
      },
    },
    onConnectionError: () => undefined,
  });
