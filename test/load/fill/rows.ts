import { AGENTS, DEVELOPERS, STEADY_GRANTS } from './shape.ts';

/** What one table is given: the statement that writes its rows, for `rows` grants. */
interface Filling {
  readonly table: string;
  readonly text: (rows: number) => string;
}

/**
 * Makes a table of the grants to come, so that ids and times are calculated once and not for each table: number, times,
 * the time's part of ids, and the owner. `offset 0` keeps each column calculated once.
 */
export const numberedGrants = (rows: number): string => `create unlogged table fill.numbered as
  select n, developer, ms, to_timestamp(ms * 0.001::float8) as at, fill.moment(ms) as moment,
    fill.developer_id(developer) as developer_id, fill.agent_id(developer, fill.agent(n, developer)) as agent_id,
    fill.principal(n, developer) as principal_id
  from (select n, fill.developer(n) as developer, fill.ms(n) as ms from generate_series(1::bigint, ${rows}::bigint) n
    offset 0) owned`;

/** Tables that others refer to. They are small. */
export const OWNERS: readonly Filling[] = [
  {
    table: 'developers',
    text: () => `insert into developers (id, name, mode, api_key_hash, created_at)
      select fill.developer_id(n), 'Filled ' || n, 'live', sha256(convert_to('gx_live_filled_' || n, 'UTF8')), now()
      from generate_series(0, ${DEVELOPERS}) n`,
  },
  {
    table: 'agents',
    text: () => `insert into agents (id, developer_id, name, description, scopes, status, created_at, updated_at)
      select fill.agent_id(developer, agent), fill.developer_id(developer), 'Agent ' || agent, 'Reads calendars', '{}',
        'active', now() - interval '26 days', now() - interval '26 days'
      from generate_series(0, ${DEVELOPERS}) developer, generate_series(1, ${AGENTS}) agent
      where agent <= fill.agents(developer)`,
  },
  {
    table: 'policies',
    text: (
      rows,
    ) => `insert into policies (id, developer_id, name, effect, priority, agent_id, principal_id, created_at,
        updated_at)
      select 'pol_' || fill.ulid(1, developer * 100 + n), fill.developer_id(developer), 'Policy', 'deny', n % 3,
        case when n % 2 = 0 then fill.agent_id(developer, 1) end, 'nobody', now(), now()
      from generate_series(1, ${DEVELOPERS}) developer, generate_series(1, ${Math.min(20, Math.ceil(rows / 1000))}) n`,
  },
  {
    table: 'webhooks',
    text: () => `insert into webhooks (id, developer_id, url, events, sealed_secret, created_at)
      select 'wh_' || fill.ulid(1, developer), fill.developer_id(developer), 'https://hooks.invalid/', '{grant.created}',
        '', now()
      from generate_series(1, ${DEVELOPERS}) developer`,
  },
];

const GRANT_ID = "'grnt_' || moment || fill.random(n)";
const LIFE = `case when n % 10 < 7 then interval '7 days' else interval '90 days' end`;

/** The tables whose rows grow with the grants. Each statement can run beside the others. */
export const GROWING: readonly Filling[] = [
  {
    // One grant in 20 is delegated, and one in 25 revoked. Most run out after a week.
    table: 'grants',
    text: () => `insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at,
        revoked_at, revoked_by, parent_grant_id, root_grant_id, delegation_depth)
      select ${GRANT_ID}, developer_id, agent_id, principal_id, '{calendar:read,email:send}',
        case when n % 25 = 0 then 'revoked' else 'active' end, at, at + ${LIFE},
        case when n % 25 = 0 then at end, case when n % 25 = 0 then 'developer' end,
        case when n % 20 = 0 then 'grnt_' || fill.ulid(fill.ms(n - 1), n - 1) end,
        case when n % 20 = 0 then 'grnt_' || fill.ulid(fill.ms(n - 1), n - 1) else ${GRANT_ID} end,
        case when n % 20 = 0 then 1 else 0 end
      from fill.numbered`,
  },
  {
    // Every second grant was refreshed once. The second token has a number beyond all grants.
    table: 'tokens',
    text: (rows) => `insert into tokens (jti, grant_id, kid, expires_at)
      select 'tok_' || moment || fill.random(n + again * ${rows}), ${GRANT_ID}, 'filled', at + ${LIFE}
      from fill.numbered cross join lateral unnest(case when n % 2 = 0 then '{0,1}'::int[] else '{0}' end) again`,
  },
  {
    table: 'refresh_tokens',
    text: (rows) => `insert into refresh_tokens (hash, grant_id, agent_id, predecessor, issued_at, used_at)
      select sha256(int8send(n + again * ${rows})), ${GRANT_ID}, agent_id,
        case when again = 1 then sha256(int8send(n)) end, at + again * interval '1 minute',
        case when again = 0 and n % 2 = 0 then at + interval '1 minute' end
      from fill.numbered cross join lateral unnest(case when n % 2 = 0 then '{0,1}'::int[] else '{0}' end) again`,
  },
  {
    // Beside the requests that led to a grant, one for every ten was never decided.
    table: 'authorization_requests',
    text: (
      rows,
    ) => `insert into authorization_requests (id, developer_id, agent_id, principal_id, scopes, redirect_uri,
        state, grant_seconds, status, created_at, expires_at, code_hash, code_expires_at, exchanged_at, grant_id)
      select 'areq_' || moment || fill.random(n + undecided * ${rows}), developer_id, agent_id, principal_id,
        '{calendar:read,email:send}', 'https://app.example.com/callback', 'a-state-of-twenty-one', 604800,
        case undecided when 0 then 'approved' else 'pending' end, at, at + interval '10 minutes',
        case undecided when 0 then sha256(int8send(-n)) end,
        case undecided when 0 then at + interval '10 minutes' end,
        case undecided when 0 then at end, case undecided when 0 then ${GRANT_ID} end
      from fill.numbered cross join lateral unnest(
        case when n % 10 = 1 then '{0,1}'::int[] when n % 20 = 0 then '{}' else '{0}' end) undecided`,
  },
  {
    table: 'audit_entries',
    text: () => `insert into audit_entries (id, developer_id, agent_id, agent_did, grant_id, principal_id, action, status,
        metadata, created_at, hash, prev_hash)
      select 'alog_' || moment || fill.random(n), developer_id, agent_id, 'did:grantex:' || agent_id, ${GRANT_ID}, principal_id,
        'calendar.read', case when n % 50 = 0 then 'failure' else 'success' end, '{"calendar": "team", "events": 12}', at,
        encode(sha256(int8send(n)), 'hex'), encode(sha256(int8send(n - 1)), 'hex')
      from fill.numbered`,
  },
  {
    table: 'webhook_deliveries',
    text: () => `insert into webhook_deliveries (id, webhook_id, event_id, event_type, agent_id, data, status, attempts,
        max_attempts, created_at, delivered_at, queued)
      select 'whd_' || moment || fill.random(n), 'wh_' || fill.ulid(1, greatest(1, developer)), 'evt_' || moment || fill.random(n),
        'grant.created', agent_id, '{}', 'delivered', 1, 5, at, at, true
      from fill.numbered where n % 10 = 5`,
  },
  {
    table: 'anomalies',
    text: () => `insert into anomalies (id, developer_id, type, severity, agent_id, principal_id, description, metadata,
        detected_at, seen_at, acknowledged_at)
      select 'anm_' || moment || fill.random(n), developer_id, 'new_principal', 'low', agent_id, 'user_' || n, 'A new principal',
        '{}', at, at, case when n % 1000 <> 3 then at end
      from fill.numbered where n % 100 = 3`,
  },
];

/** With fewer rows, nearly all of them would belong to one developer. */
export const FEWEST_ROWS = 2 * STEADY_GRANTS;
