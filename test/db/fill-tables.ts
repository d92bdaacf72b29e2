import type postgres from 'postgres';
import type { Party } from '../support/flow.ts';

/** Enough rows in every table that reading all of them is never the cheapest; the party has a hundred grants and policies. */
export async function fillTables(sql: postgres.Sql, { developerId, agentId }: Party): Promise<void> {
  const hash = (prefix: string) => sql`sha256(convert_to(${prefix}::text || n, 'UTF8'))`;
  await sql`insert into developers (id, name, mode, api_key_hash, created_at)
    select 'dev_' || n, 'D', 'live', ${hash('key')}, now() from generate_series(1, 5000) n`;
  await sql`insert into agents (id, developer_id, name, description, scopes, status, created_at, updated_at)
    select 'ag_' || n, 'dev_' || (1 + n % 5000), 'A', '', '{}', 'active', now(), now() from generate_series(1, 20000) n`;
  // A tenth is alive, as in a database that has run for a while.
  await sql`insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at,
      root_grant_id, delegation_depth)
    select 'grnt_' || n, 'dev_' || (1 + n % 5000), 'ag_' || n, 'user_' || n % 1000, '{a:b}', 'active',
      now() - n * interval '1 s', now() + (n % 10 - 8.5) * interval '1 day', 'grnt_' || n, 0
    from generate_series(1, 20000) n`;
  await sql`insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at,
      root_grant_id, delegation_depth)
    select 'grnt_p' || n, ${developerId}, ${agentId}, 'user_' || n % 10, '{a:b}', 'active', now(), now() + interval '1 day',
      'grnt_p' || n, 0
    from generate_series(1, 100) n`;
  await sql`update grants set parent_grant_id = 'grnt_' || (substr(id, 6)::int - 1), delegation_depth = 1
    where id like 'grnt\_%7' and id not like 'grnt\_p%'`;
  await sql`insert into tokens (jti, grant_id, kid, expires_at)
    select 'tok_' || n, 'grnt_' || (1 + n % 20000), 'k', now() from generate_series(1, 20000) n`;
  await sql`insert into refresh_tokens (hash, grant_id, agent_id, predecessor, issued_at)
    select ${hash('ref')}, 'grnt_' || (1 + n % 20000), 'ag_' || (1 + n % 20000), ${hash('pre')}, now() from generate_series(1, 20000) n`;
  await sql`insert into webhooks (id, developer_id, url, events, sealed_secret, created_at)
    select 'wh_' || n, 'dev_' || n, 'https://hooks.invalid/', '{grant.created,grant.revoked,token.issued}', '', now()
    from generate_series(1, 5000) n`;
  await sql`insert into webhook_deliveries (id, webhook_id, event_id, event_type, agent_id, data, status, attempts,
      max_attempts, created_at, queued)
    select 'whd_' || n, 'wh_' || (1 + n % 5000), 'evt_' || n, 'token.issued', 'ag_1', '{}', 'delivered', 1, 5,
      now() - interval '30 days 1 hour' + n * interval '1 minute', true
    from generate_series(1, 20000) n`;
  await sql`insert into authorization_requests (id, developer_id, agent_id, principal_id, scopes, grant_seconds, status,
      created_at, expires_at, code_hash)
    select 'areq_' || n, 'dev_' || (1 + n % 5000), 'ag_' || n, 'user', '{a:b}', 60, 'approved', now(), now(),
      ${hash('code')}
    from generate_series(1, 20000) n`;
  await sql`insert into policies (id, developer_id, name, effect, priority, agent_id, principal_id, created_at, updated_at)
    select 'pol_' || n, 'dev_' || (1 + n % 5000), 'P', 'deny', n % 3, case when n % 2 = 0 then 'ag_' || n end, 'user', now(),
      now()
    from generate_series(1, 20000) n`;
  await sql`insert into policies (id, developer_id, name, effect, priority, principal_id, created_at, updated_at)
    select 'pol_p' || n, ${developerId}, 'P', 'deny', n % 3, 'nobody', now(), now() from generate_series(1, 100) n`;
  await sql`insert into revocation_entries (seq, developer_id, action, grant_id, expires_at, at, written_at)
    select n, 'dev_' || (1 + n % 5000), 'revoked', 'gone_' || n, now() + interval '1 day', now(), now()
    from generate_series(1, 20000) n`;
  await sql`insert into events (seq, developer_id, event_id, type, data, created_at, written_at)
    select n, 'dev_' || (1 + n % 5000), 'evt_' || n, 'token.issued', '{}', now(), now() from generate_series(1, 20000) n`;
  await sql`update feed_positions set last_seq = 20000`;
  await sql`insert into audit_entries (id, developer_id, agent_id, agent_did, grant_id, principal_id, action, status, metadata,
      created_at, hash, prev_hash)
    select 'alog_' || n, 'dev_' || (1 + n % 5000), 'ag_' || n, 'did', 'grnt_' || n, 'user_' || n % 1000, 'a', 'success', '{}',
      now(), 'h' || n, 'h' || n - 1
    from generate_series(1, 20000) n`;
  await sql`insert into audit_entries (id, developer_id, agent_id, agent_did, grant_id, principal_id, action, status, metadata,
      created_at, hash, prev_hash)
    select 'alog_p' || n, ${developerId}, ${agentId}, 'did', 'grnt_p' || n, 'user_' || n % 10, 'a', 'success', '{}', now(),
      'p' || n, 'p' || n - 1
    from generate_series(1, 100) n`;
  await sql`insert into anomalies (id, developer_id, type, severity, agent_id, principal_id, description, metadata, detected_at,
      seen_at, acknowledged_at)
    select 'anm_' || n, 'dev_' || (1 + n % 5000), 'new_principal', 'low', 'ag_' || n, 'user', '', '{}', now(), now(),
      case when n % 10 > 0 then now() end
    from generate_series(1, 20000) n`;
  await sql`vacuum analyze`;
}
