import { resolve } from 'node:path';
import { type Config, namingVariables } from './config.ts';
import { assertReachable } from './db/assert-reachable.ts';

/** Where the database is, and how to let go of it: `close` stops the embedded one and does nothing otherwise. */
export interface OpenDatabase {
  readonly url: string;
  readonly embedded: boolean;
  /** Settles when the embedded database has ended, asked or not; never for an external one. */
  readonly exited: Promise<unknown>;
  close(): Promise<void>;
}

/**
 * The database of this configuration: DATABASE_URL, or the embedded PostgreSQL in DATA_DIR, started.
 * @throws when the embedded one cannot start (its directory in use, no binaries for this platform, …)
 */
export async function openDatabaseUrl(
  config: Pick<Config, 'databaseUrl' | 'dataDir'>,
  onLog?: (line: string) => void,
): Promise<OpenDatabase> {
  if (config.databaseUrl !== null)
    return {
      url: config.databaseUrl,
      embedded: false,
      exited: new Promise(() => undefined),
      close: async () => undefined,
    };
  const { startEmbeddedDatabase } = await import('./embedded-postgres/start.ts');
  const database = await startEmbeddedDatabase({ dataDir: config.dataDir, ...(onLog && { onLog }) });
  return { url: database.url, embedded: true, exited: database.exited, close: () => database.stop() };
}

/**
 * Makes sure that the database can be used, before anything is asked of it.
 * @throws naming DATABASE_URL, and never what it holds
 */
export async function reachDatabase({ embedded, url }: OpenDatabase): Promise<void> {
  if (!embedded) await assertReachable(url).catch(namingVariables('DATABASE_URL'));
}

/** The same for a command, which may also run beside the service: it then uses the database that the service has started. */
export async function openDatabaseBeside(
  config: Pick<Config, 'databaseUrl' | 'dataDir'>,
): Promise<OpenDatabase> {
  const { DatabaseInUseError } = await import('./embedded-postgres/error.ts');
  try {
    return await openDatabaseUrl(config);
  } catch (error) {
    if (!(error instanceof DatabaseInUseError)) throw error;
    const { runningDatabaseUrl } = await import('./embedded-postgres/running.ts');
    const databaseUrl = runningDatabaseUrl(resolve(config.dataDir));
    return { ...(await openDatabaseUrl({ ...config, databaseUrl })), embedded: true };
  }
}
