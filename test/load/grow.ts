import type postgres from 'postgres';

/** Fills the database with grants of other developers until it has `count`. Each has a token and a refresh token. */
export async function growTo(sql: postgres.Sql, count: number): Promise<void> {
  const [row] = await sql<{ have: number }[]>`select count(*)::int as have from grants`;
  const missing = count - (row?.have ?? 0);
  if (missing <= 0) return;
  await sql`insert into developers (id, name, mode, api_key_hash, created_at)
    select 'dev_grown_' || n, 'Grown', 'live', sha256(('grown' || n)::bytea), now() from generate_series(1, 1000) n
    on conflict do nothing`;
  await sql`insert into agents (id, developer_id, name, description, scopes, status, created_at, updated_at)
    select 'ag_grown_' || n, 'dev_grown_' || n, 'Grown', '', '{}', 'active', now(), now() from generate_series(1, 1000) n
    on conflict do nothing`;
  const first = row?.have ?? 0;
  await sql`with grown as (
      insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at, root_grant_id,
        delegation_depth)
      select 'grnt_grown_' || n, 'dev_grown_' || n % 1000 + 1, 'ag_grown_' || n % 1000 + 1, 'user_' || n, '{calendar:read}',
        'active', now(), now() + interval '30 days', 'grnt_grown_' || n, 0
      from generate_series(${first}::int, ${first + missing}::int) n returning id, agent_id, expires_at),
    refreshed as (insert into refresh_tokens (hash, grant_id, agent_id, issued_at) select sha256(id::bytea), id, agent_id, now() from grown)
    insert into tokens (jti, grant_id, kid, expires_at) select 'tok_' || id, id, (select min(kid) from signing_keys), expires_at
    from grown`;
  await sql`vacuum analyze`;
}
