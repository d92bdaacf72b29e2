import { appendFile, cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type postgres from 'postgres';
import { layout } from '../../src/data-dir.ts';
import { giveToServer } from './server-files.ts';

/**
 * Copies a running server into another data directory, as its standby. pg_basebackup does the same, but the bundled
 * PostgreSQL does not include it.
 */
export async function copyAsStandby({
  from,
  to,
  primaryUrl,
  sql,
}: {
  from: string;
  to: string;
  primaryUrl: string;
  /** A single session, because the one that begins the copy must end it. */
  sql: postgres.Sql;
}): Promise<void> {
  const [source, target] = [layout(from), layout(to)];
  await sql`select pg_backup_start('standby', true)`;
  await cp(source.cluster, target.cluster, { recursive: true, verbatimSymlinks: true });
  const [stopped] = await sql<{ labelfile: string }[]>`select labelfile from pg_backup_stop(false)`;
  await cp(source.password, target.password);
  const { hostname, port, username, password } = new URL(primaryUrl);
  const file = async (name: string, text: string) => {
    const path = join(target.cluster, name);
    await writeFile(path, text);
    await giveToServer(path, source.cluster);
  };
  await rm(join(target.cluster, 'postmaster.pid'), { force: true });
  await file('backup_label', stopped?.labelfile ?? '');
  await file('standby.signal', '');
  await appendFile(
    join(target.cluster, 'postgresql.auto.conf'),
    // By default the standby would wait five seconds after its first failed attempt.
    `wal_retrieve_retry_interval = '100ms'\nprimary_conninfo = 'host=${hostname} port=${port} user=${username} password=${password}'\n`,
  );
}
