import postgres from 'postgres';
import { isPooled } from './pooler.ts';

const PATIENCE_SECONDS = 1;

/**
 * Asks the server, on a connection of its own, which of these backends are at work. One that is idle or gone will never
 * answer what we still wait for.
 * @throws when the server cannot be asked, also because a pooler hides which backend serves whom
 */
export async function workingBackends(url: string, pids: readonly number[]): Promise<ReadonlySet<number>> {
  const sql = postgres(url, {
    max: 1,
    prepare: false,
    connect_timeout: PATIENCE_SECONDS,
    fetch_types: false,
  });
  const cut = setTimeout(() => void sql.end({ timeout: 0 }), PATIENCE_SECONDS * 1000);
  try {
    if (await isPooled(sql)) throw new Error('a pooler stands before the server');
    const rows = await sql<{ pid: number }[]>`select pid from pg_stat_activity
      where pid = any(string_to_array(${pids.join(',')}, ',')::int[]) and state not like 'idle%'`;
    return new Set(rows.map(({ pid }) => pid));
  } finally {
    clearTimeout(cut);
    await sql.end({ timeout: 0 });
  }
}
