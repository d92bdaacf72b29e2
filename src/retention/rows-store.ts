// Rows that go by a time of their own. Each statement removes at most `limit` of them, and counts them in the same statement.
// Rows and agents that somebody has locked are passed over: it waits for nobody. An agent that is being deleted counts its
// rows itself.
import { bigint, int, orNull, text, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import { counting, countingRefreshes, tallied } from './tally-store.ts';

/** Rows that ended before `before`, and not before `after`. */
export interface Span {
  readonly after: Date;
  readonly before: Date;
  readonly limit: number;
}

/** `reached`: when the last of the removed rows ended; null: none was removed. */
export interface Removed {
  readonly removed: number;
  readonly reached: Date | null;
}

const span = { after: timestamp, before: timestamp, limit: bigint };
const removed = { removed: int, reached: orNull(timestamp) };
const COUNT = 'select count(*)::int as removed, max(ended) as reached from gone';

/** A code is exchanged, or a request denied, before this time. */
const REQUEST_ENDED = 'greatest(request.expires_at, request.code_expires_at)';
const requests = query({
  operation: 'DELETE',
  collection: 'authorization_requests',
  name: 'retention.requests',
  text: `with due as materialized (
      select request.id from authorization_requests request join agents on agents.id = request.agent_id
      where ${REQUEST_ENDED} >= $after and ${REQUEST_ENDED} < $before
      order by ${REQUEST_ENDED} limit $limit
      for update of request skip locked for key share of agents skip locked),
    gone as (
      delete from authorization_requests request where id = any(array(select id from due))
      returning created_at, ${REQUEST_ENDED} as ended),
    ${tallied(counting('requested', 'created_at', 'gone'))}
    ${COUNT}`,
  params: span,
  row: removed,
});

const TOKEN_ENDED = 'least(expires_at, revoked_at)';
const tokens = query({
  operation: 'DELETE',
  collection: 'tokens',
  name: 'retention.tokens',
  text: `with due as materialized (
      select jti from tokens where ${TOKEN_ENDED} >= $after and ${TOKEN_ENDED} < $before
      order by ${TOKEN_ENDED} limit $limit for update skip locked),
    gone as (delete from tokens where jti = any(array(select jti from due)) returning ${TOKEN_ENDED} as ended)
    ${COUNT}`,
  params: span,
  row: removed,
});

const anomalies = query({
  operation: 'DELETE',
  collection: 'anomalies',
  name: 'retention.anomalies',
  text: `with due as materialized (
      select id from anomalies where acknowledged_at >= $after and acknowledged_at < $before
      order by acknowledged_at limit $limit for update skip locked),
    gone as (
      delete from anomalies where id = any(array(select id from due))
      returning type, detected_at, acknowledged_at as ended),
    ${tallied(counting('anomalies', 'detected_at', 'gone', { type: 'type' }))}
    ${COUNT}`,
  params: span,
  row: removed,
});

// A token was used when its successor was issued. So an index that no use changes leads to what was used, and a refresh stays
// as cheap as it is. A successor that was replaced because its request was repeated has ended too.
const usedTokens = query({
  operation: 'DELETE',
  collection: 'refresh_tokens',
  name: 'retention.used_refresh_tokens',
  text: `with passed as materialized (
      select hash, predecessor, replaced_at, issued_at from refresh_tokens
      where predecessor is not null and (issued_at, hash) > ($at::timestamptz, decode($id, 'hex')) and issued_at < $before
      order by issued_at, hash limit $limit),
    due as materialized (
      select ended.hash from refresh_tokens ended join agents on agents.id = ended.agent_id
      where ended.hash = any(array(
        select predecessor from passed union all select hash from passed where replaced_at is not null))
      for update of ended skip locked for key share of agents skip locked),
    gone as (
      delete from refresh_tokens where hash = any(array(select hash from due)) returning predecessor, issued_at, repeats),
    ${tallied(countingRefreshes)}
    select (select count(*) from gone)::int as removed, passed.issued_at as at, encode(passed.hash, 'hex') as id
    from passed order by issued_at desc, hash desc limit 1`,
  params: { at: timestamp, id: text, before: timestamp, limit: bigint },
  row: { removed: int, at: timestamp, id: text },
});

/** Removes requests for authorization: exchanged, denied, or expired. */
export const removeRequests = (db: Queryable, of: Span): Promise<Removed> => db.only(requests, of);

/** Removes tokens that have expired or were revoked. */
export const removeTokens = (db: Queryable, of: Span): Promise<Removed> => db.only(tokens, of);

/** Removes acknowledged anomalies. */
export const removeAnomalies = (db: Queryable, of: Span): Promise<Removed> => db.only(anomalies, of);

/** Where the walk along the successors of used refresh tokens has come to; `id` is the hash in hexadecimal. */
interface SuccessorPosition {
  readonly at: Date;
  readonly id: string;
}

/**
 * Removes refresh tokens that were used before `before`: those whose successors follow `position`, of which it passes `limit`.
 * @returns how many, and the new position; undefined: there is no further successor of that age
 */
export const removeUsedRefreshTokens = (
  db: Queryable,
  { position, before, limit }: { position: SuccessorPosition; before: Date; limit: number },
): Promise<({ removed: number } & SuccessorPosition) | undefined> =>
  db.first(usedTokens, { ...position, before, limit });
