// Parts of the statements that make a change worth telling of. They write its deliveries with it: what is committed is
// told at least once, what is rolled back never, and a change costs no round trip more than it did. A developer without
// webhooks costs one look into an index.

/** What a statement that tells of a change is given besides the change. */
export interface Outbox {
  /** An event id that is new; the ids of all events of the change are derived from it. */
  readonly seed: string;
  /** Of the span that makes the change. */
  readonly traceparent: string | null;
  readonly maxAttempts: number;
}

/** Like Date.toJSON. */
const iso = (column: string): string =>
  `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** A ULID for `text`: the time of the prefixed ULID `seed`, and 64 bits of a hash in hexadecimal, which base 32 contains. */
const ulidOf = (seed: string, text: string): string =>
  `substr(${seed}, strpos(${seed}, '_') + 1, 10) || upper(left(md5(${text}), 16))`;

const GRANT = `'grantId', grant_id, 'agentId', agent_id, 'principalId', principal_id, 'scopes', to_json(scopes),
        'expiresAt', ${iso('expires_at')}`;

/**
 * One delivery for each fact and each webhook that wants to hear of it, from the CTE
 * `facts (type, subject, developer_id, agent_id, data, seed, now, traceparent, max_attempts)`. A webhook that is being
 * removed at the same moment is waited for and then left out: its foreign key would fail the whole change. The webhooks of
 * a developer are looked up by themselves, or the planner would rather read a small table from end to end.
 */
const ENQUEUE = `enqueued as (
      insert into webhook_deliveries (id, webhook_id, event_id, event_type, agent_id, data, traceparent, max_attempts,
        created_at)
      select 'whd_' || ${ulidOf('seed', 'type || subject || webhook.id')}, webhook.id,
        'evt_' || ${ulidOf('seed', 'type || subject')}, type, agent_id, data, traceparent, max_attempts, now
      from facts cross join lateral (
        select id from webhooks where developer_id = facts.developer_id and facts.type = any(events) for key share) webhook
      returning id)`;

/**
 * CTEs that tell of tokens, and of grants where they are new. To follow a CTE `issuance (grant_id, developer_id, agent_id,
 * principal_id, scopes, expires_at, is_new, delegation_depth, parent_grant_id, jti, now, traceparent, max_attempts)`.
 */
export const TELL_OF_ISSUANCE = `facts as (
      select 'grant.created' as type, grant_id as subject, developer_id, agent_id, jti as seed, now, traceparent,
        max_attempts, case when parent_grant_id is null
          then json_build_object(${GRANT}, 'delegationDepth', delegation_depth)
          else json_build_object(${GRANT}, 'delegationDepth', delegation_depth, 'parentGrantId', parent_grant_id)
        end as data
      from issuance where is_new
      union all
      select 'token.issued', jti, developer_id, agent_id, jti, now, traceparent, max_attempts,
        json_build_object('tokenId', jti, ${GRANT})
      from issuance),
    ${ENQUEUE}`;

/**
 * CTEs that tell of each grant that was revoked. To follow a CTE `revoked (id, developer_id, agent_id, parent_grant_id)`.
 * `cascade`: a grant above or below it in the tree fell with it.
 */
export const tellOfRevocation = (
  parameters: Readonly<Record<keyof Outbox | 'now', string>>,
): string => `facts as (
      select 'grant.revoked' as type, id as subject, developer_id, agent_id, ${parameters.seed}::text as seed,
        ${parameters.now}::timestamptz as now, ${parameters.traceparent}::text as traceparent,
        ${parameters.maxAttempts}::int as max_attempts,
        json_build_object('grantId', id, 'cascade',
          id in (select parent_grant_id from revoked where parent_grant_id is not null)
            or coalesce(parent_grant_id in (select id from revoked), false)) as data
      from revoked),
    ${ENQUEUE}`;

/** For the select list of such a statement: whether there is anything to deliver now. */
export const ENQUEUED = 'exists (select from enqueued) as enqueued';
