// Parts of the statements that make a change worth telling of. They write its events with it, for webhooks and for the event
// stream: what is committed is told at least once, what is rolled back never, and the change costs no further round trip. A
// developer without webhooks and streams costs two looks into indexes. test/events/outbox-store.test.ts runs each part on constant rows.

/** What a statement that tells of a change is given besides the change. */
export interface Outbox {
  /** An event id that is new; the ids of all events of the change are derived from it. */
  readonly seed: string;
  /** Of the span that makes the change. */
  readonly traceparent: string | null;
  readonly maxAttempts: number;
}

/** SQL expressions by what they stand for. Each may name the columns of `from`. */
type Expressions<Names extends string> = Readonly<Record<Names, string>>;

/** A token that a statement issues, and its grant. */
export type Issuance = Expressions<
  | 'grantId'
  | 'developerId'
  | 'agentId'
  | 'principalId'
  | 'scopes'
  /** Of the grant. */
  | 'expiresAt'
  | 'tokenExpiresAt'
  /** boolean: the grant is new too. */
  | 'isNew'
  | 'delegationDepth'
  /** Null of a grant that a principal gave. */
  | 'parentGrantId'
  | 'jti'
  | 'now'
  | 'traceparent'
  | 'maxAttempts'
  /** Where the rows come from: what follows `from`. */
  | 'from'
>;

/** Grants that a statement revokes. */
export type RevokedGrants = Expressions<
  | 'id'
  | 'developerId'
  | 'agentId'
  | 'parentGrantId'
  | 'seed'
  | 'now'
  | 'traceparent'
  | 'maxAttempts'
  /** A common table expression: it is read three times, to tell which grants fell together. */
  | 'from'
>;

/** Like Date.toJSON. */
const iso = (column: string): string =>
  `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** A ULID for `text`: the time of the prefixed ULID `seed`, and 64 bits of a hash in hexadecimal, which base 32 contains. */
const ulidOf = (seed: string, text: string): string =>
  `substr(${seed}, strpos(${seed}, '_') + 1, 10) || upper(left(md5(${text}), 16))`;

const factsOf = (expiresAt: string): string =>
  `'grantId', grant_id, 'agentId', agent_id, 'principalId', principal_id, 'scopes', to_json(scopes),
        'expiresAt', ${iso(expiresAt)}`;
const GRANT = factsOf('expires_at');
const TOKEN = `'tokenId', jti, ${factsOf('token_expires_at')}`;

const EVENT_ID = `'evt_' || ${ulidOf('seed', 'type || subject')}`;

/**
 * One delivery for each fact and each webhook that wants to hear of it. A webhook that is being removed at the same
 * moment is waited for and then left out: its foreign key would fail the whole change. The webhooks of a developer are
 * looked up by themselves, or the planner would rather read a small table from end to end.
 * And one event for each fact of a developer that follows the event stream. It waits there for its number.
 */
const ENQUEUED = `enqueued as (
      insert into webhook_deliveries (id, webhook_id, event_id, event_type, agent_id, data, traceparent, max_attempts,
        created_at)
      select 'whd_' || ${ulidOf('seed', 'type || subject || webhook.id')}, webhook.id,
        ${EVENT_ID}, type, agent_id, data, traceparent, max_attempts, now
      from facts cross join lateral (
        select id from webhooks where developer_id = facts.developer_id and facts.type = any(events) for key share) webhook
      returning id),
    streamed as (
      insert into event_outbox (developer_id, event_id, type, data, created_at)
      select developer_id, ${EVENT_ID}, type, data, now from facts
      where exists (select from event_followers where developer_id = facts.developer_id))`;

/** Common table expressions that tell of tokens, and of grants where they are new. They make `ANY_ENQUEUED` true. */
export const deliveriesOfIssuance = (issued: Issuance): string => `issuance as (
      select ${issued.grantId} as grant_id, ${issued.developerId} as developer_id, ${issued.agentId} as agent_id,
        ${issued.principalId} as principal_id, ${issued.scopes} as scopes, ${issued.expiresAt} as expires_at,
        ${issued.tokenExpiresAt} as token_expires_at, ${issued.isNew} as is_new, ${issued.delegationDepth} as delegation_depth,
        ${issued.parentGrantId} as parent_grant_id, ${issued.jti} as jti, ${issued.now} as now,
        ${issued.traceparent} as traceparent, ${issued.maxAttempts} as max_attempts
      from ${issued.from}),
    facts as (
      select 'grant.created' as type, grant_id as subject, developer_id, agent_id, jti as seed, now, traceparent,
        max_attempts, case when parent_grant_id is null
          then json_build_object(${GRANT}, 'delegationDepth', delegation_depth)
          else json_build_object(${GRANT}, 'delegationDepth', delegation_depth, 'parentGrantId', parent_grant_id)
        end as data
      from issuance where is_new
      union all
      select 'token.issued', jti, developer_id, agent_id, jti, now, traceparent, max_attempts,
        json_build_object(${TOKEN})
      from issuance),
    ${ENQUEUED}`;

/** Grants that a removal revokes, some at a time. */
export type RemovedGrants = Omit<RevokedGrants, 'parentGrantId'> &
  Expressions<
    /** boolean: a grant above or below it falls with it. */
    'cascade'
  >;

/** Common table expressions that enqueue the event of each grant. They make `ANY_ENQUEUED` true. */
export const deliveriesOfRemoval = (revoked: RemovedGrants): string => `facts as (
      select 'grant.revoked' as type, ${revoked.id} as subject, ${revoked.developerId} as developer_id,
        ${revoked.agentId} as agent_id, ${revoked.seed} as seed, ${revoked.now} as now,
        ${revoked.traceparent} as traceparent, ${revoked.maxAttempts} as max_attempts,
        json_build_object('grantId', ${revoked.id}, 'cascade',
          ${revoked.cascade}) as data
      from ${revoked.from}),
    ${ENQUEUED}`;

/**
 * The same for grants that one statement revokes with everything below them. `cascade` is true when a grant above or below it
 * in the tree was revoked with it.
 */
export const deliveriesOfRevocation = (revoked: RevokedGrants): string =>
  deliveriesOfRemoval({
    ...revoked,
    cascade: `${revoked.id} in (select ${revoked.parentGrantId} from ${revoked.from} where ${revoked.parentGrantId} is not null)
            or coalesce(${revoked.parentGrantId} in (select ${revoked.id} from ${revoked.from}), false)`,
  });

/** For the select list of such a statement: whether there is anything to deliver now. */
export const ANY_ENQUEUED = 'exists (select from enqueued)';
