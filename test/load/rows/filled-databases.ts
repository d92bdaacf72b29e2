import postgres from 'postgres';
import { migrate } from '../../../src/db/migrate.ts';
import { FILL_SETTINGS, fill } from '../fill/fill.ts';

/**
 * Makes a database with `rows` grants in the cluster at `url`, unless a run before has made it. It is made under another
 * name, so that one whose filling was interrupted is made again.
 * @returns its URL
 */
export async function filledDatabase(url: string, rows: number): Promise<string> {
  const name = `rows_${rows}`;
  const admin = postgres(url, { max: 1, onnotice: () => undefined });
  const unfinished = `${name}_unfinished`;
  const urlOf = (database: string) => Object.assign(new URL(url), { pathname: `/${database}` }).href;
  try {
    const [found] = await admin`select from pg_database where datname = ${name}`;
    if (found) {
      // Beside many rows a migration takes longer than a service has to start.
      await migrate(urlOf(name));
      return urlOf(name);
    }
    // Every change of so many rows would otherwise be written to the log twice.
    await admin`alter system set max_wal_size = '4GB'`;
    await admin`select pg_reload_conf()`;
    await admin`drop database if exists ${admin(unfinished)}`;
    await admin`create database ${admin(unfinished)}`;
    await migrate(urlOf(unfinished));
    const sql = postgres(urlOf(unfinished), { max: 2, connection: FILL_SETTINGS, onnotice: () => undefined });
    await fill(sql, rows).finally(() => sql.end({ timeout: 1 }));
    await admin`alter database ${admin(unfinished)} rename to ${admin(name)}`;
    return urlOf(name);
  } finally {
    await admin.end({ timeout: 1 });
  }
}
