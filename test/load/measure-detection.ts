import type postgres from 'postgres';
import { type Row, round } from './table.ts';
import type { StartedServer } from './testbed.ts';

const KEY = 'gx_live_whole_developer';
const AGENTS = 100;
const ROUNDS = 3;

/** Measures the detection of anomalies for one developer with `grants` grants of the last thirty days. */
export async function measureDetection(
  sql: postgres.Sql,
  server: StartedServer,
  grants: number,
): Promise<Row> {
  await sql`insert into developers (id, name, mode, api_key_hash, created_at)
    values ('dev_whole', 'Whole', 'live', sha256(${KEY}::bytea), now())`;
  await sql`insert into agents (id, developer_id, name, description, scopes, status, created_at, updated_at)
    select 'ag_whole_' || n, 'dev_whole', 'Whole', '', '{}', 'active', now(), now() from generate_series(1, ${AGENTS}::int) n`;
  await sql`with grown as (
      insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at, root_grant_id,
        delegation_depth)
      select 'grnt_whole_' || n, 'dev_whole', 'ag_whole_' || n % ${AGENTS}::int + 1, 'user_' || n % 50000, '{calendar:read}',
        'active', now() - n * interval '30 days' / ${grants}::int, now() + interval '30 days', 'grnt_whole_' || n, 0
      from generate_series(1, ${grants}::int) n returning id, agent_id, issued_at)
    insert into refresh_tokens (hash, grant_id, agent_id, issued_at)
    select sha256(id::bytea), id, agent_id, issued_at from grown`;
  await sql`insert into authorization_requests (id, developer_id, agent_id, principal_id, scopes, grant_seconds, status,
      created_at, expires_at)
    select 'areq_whole_' || n, 'dev_whole', 'ag_whole_' || n, 'user_1', '{mail:send}', 60, 'pending', now(), now()
    from generate_series(1, ${AGENTS}::int) n`;
  await sql`vacuum analyze`;
  const times: number[] = [];
  // Different answers are all shown, because a refusal at the deadline is no valid measurement.
  const answers = new Set<string>();
  for (let n = 0; n < ROUNDS; n++) {
    const begun = performance.now();
    const response = await fetch(`${server.url}/v1/anomalies/detect`, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}` },
    });
    const answer = (await response.json()) as { total?: number; message?: string };
    times.push(performance.now() - begun);
    answers.add(String(answer.total ?? answer.message));
  }
  return { grants, agents: AGENTS, found: [...answers].join(', '), 'slowest ms': round(Math.max(...times)) };
}
