import postgres from 'postgres';

/**
 * Whether a pooler (PgBouncer and its like) stands between us and the server: the process id that was announced at the
 * start of the connection is then not that of the backend that answers.
 * @throws when there is no connection, or nothing may be asked on it
 */
export async function isPooled(sql: postgres.Sql): Promise<boolean> {
  const query = sql<{ pid: number }[]>`select pg_backend_pid() as pid`;
  const [row] = await query;
  // The driver notes the backend that was announced with each statement; its types do not know.
  const { state } = query as unknown as { state: { pid: number } | null };
  return row?.pid !== state?.pid;
}

/**
 * The URL with which statements can be sent there. A pooler gives each transaction whichever backend is free, and that
 * one knows nothing of what another has prepared: nothing is prepared then, unless the URL itself says `prepare`.
 * @throws when there is no connection, or nothing may be asked on it
 */
export async function reachableUrl(url: string): Promise<string> {
  const sql = postgres(url, { max: 1, prepare: false, fetch_types: false, connect_timeout: 10 });
  try {
    const pooled = await isPooled(sql);
    const changed = new URL(url);
    if (!pooled || changed.searchParams.has('prepare')) return url;
    changed.searchParams.set('prepare', 'false');
    return changed.href;
  } finally {
    await sql.end({ timeout: 5 });
  }
}
