import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { layout } from '../data-dir.ts';
import { readOrMakePassword, SUPERUSER } from './cluster.ts';
import { EmbeddedDatabaseError } from './error.ts';

/**
 * The URL of the database that a running service has started in `dataDir`.
 * @throws {EmbeddedDatabaseError} when it is not up yet
 */
export function runningDatabaseUrl(dataDir: string): string {
  const paths = layout(dataDir);
  // The fourth line of the file is the port (PostgreSQL: storage, "postmaster.pid").
  const port = Number(readFileSync(join(paths.cluster, 'postmaster.pid'), 'utf8').split('\n')[3]);
  if (!port)
    throw new EmbeddedDatabaseError(`the database of the service that uses ${dataDir} is not up yet`);
  return `postgres://${SUPERUSER}:${readOrMakePassword(paths)}@127.0.0.1:${port}/postgres`;
}
