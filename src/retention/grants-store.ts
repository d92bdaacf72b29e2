// Grants that have ended, and what belongs to them. As in rows-store.ts, nothing is waited for, and counts move with the rows.
import { bigint, int, smallint, text, texts, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import { counting, countingRefreshes, tallied } from './tally-store.ts';

/** A place in the order in which grants go: by the time of their end, then from the leaves of a tree to its root. */
export interface GrantPosition {
  readonly at: Date;
  /** Minus the depth of delegation. */
  readonly depth: number;
  readonly id: string;
}

const ENDED = 'least(expires_at, revoked_at)';
const ended = query({
  operation: 'SELECT',
  collection: 'grants',
  name: 'retention.ended_grants',
  text: `select ${ENDED} as at, (-delegation_depth) as depth, id from grants
    where (${ENDED}, -delegation_depth, id) > ($at::timestamptz, $depth::smallint, $id) and ${ENDED} < $before
    order by ${ENDED}, -delegation_depth, id limit $limit`,
  params: { at: timestamp, depth: smallint, id: text, before: timestamp, limit: bigint },
  row: { at: timestamp, depth: smallint, id: text },
});

const tokens = query({
  operation: 'DELETE',
  collection: 'tokens',
  name: 'retention.tokens_of_grants',
  text: `with due as materialized (
      select jti from tokens where grant_id = any($ids::text[]) limit $limit for update skip locked),
    gone as (delete from tokens where jti = any(array(select jti from due)) returning jti)
    select count(*)::int as removed from gone`,
  params: { ids: texts, limit: bigint },
  row: { removed: int },
});

const refreshTokens = query({
  operation: 'DELETE',
  collection: 'refresh_tokens',
  name: 'retention.refresh_tokens_of_grants',
  text: `with ended as materialized (
      select grants.id from grants join agents on agents.id = grants.agent_id where grants.id = any($ids::text[])
      for no key update of grants skip locked for key share of agents skip locked),
    due as materialized (
      select hash from refresh_tokens where grant_id = any(array(select id from ended)) limit $limit for update skip locked),
    gone as (
      delete from refresh_tokens where hash = any(array(select hash from due))
      returning grant_id, predecessor, issued_at, repeats),
    used as (
      update grants set last_used_at = greatest(last_used_at, last.issued_at)
      from (select grant_id, max(issued_at) as issued_at from gone group by grant_id) last
      where grants.id = any(array(select grant_id from gone)) and grants.id = last.grant_id),
    ${tallied(countingRefreshes)}
    select count(*)::int as removed from gone`,
  params: { ids: texts, limit: bigint },
  row: { removed: int },
});

// Whatever belongs to a grant has gone before, so that nothing goes with it that is not counted. A grant below it goes with it
// or has gone before.
const grants = query({
  operation: 'DELETE',
  collection: 'grants',
  name: 'retention.grants',
  text: `with due as materialized (
      select grants.id from grants join agents on agents.id = grants.agent_id
      where grants.id = any($ids::text[])
        and (select jti from tokens where grant_id = grants.id limit 1) is null
        and (select hash from refresh_tokens where grant_id = grants.id limit 1) is null
        and (select child.id from grants child
          where child.parent_grant_id = grants.id and child.id <> all($ids::text[]) limit 1) is null
      for update of grants skip locked for key share of agents skip locked),
    gone as (
      delete from grants where id = any(array(select id from due))
      returning parent_grant_id, status, issued_at, revoked_at),
    ${tallied(
      [
        counting('consented', 'issued_at', 'gone where parent_grant_id is null'),
        counting('delegated', 'issued_at', 'gone where parent_grant_id is not null'),
        counting('revoked', 'revoked_at', `gone where status = 'revoked'`),
      ].join(' union all '),
    )}
    select count(*)::int as removed from gone`,
  params: { ids: texts },
  row: { removed: int },
});

/** The first `limit` grants after a position that ended before `before`. */
export const endedGrants = (
  db: Queryable,
  { position, before, limit }: { position: GrantPosition; before: Date; limit: number },
): Promise<GrantPosition[]> => db.all(ended, { ...position, before, limit });

/** Removes tokens of these grants. @returns how many, at most `limit` */
export const removeTokensOfGrants = async (
  db: Queryable,
  ids: readonly string[],
  limit: number,
): Promise<number> => (await db.only(tokens, { ids, limit })).removed;

/** Removes refresh tokens of these grants; the grants keep when they were last used. @returns how many, at most `limit` */
export const removeRefreshTokensOfGrants = async (
  db: Queryable,
  ids: readonly string[],
  limit: number,
): Promise<number> => (await db.only(refreshTokens, { ids, limit })).removed;

/** Removes those of the grants that have no token, no refresh token, and no grant below them that stays. @returns how many */
export const removeGrants = async (db: Queryable, ids: readonly string[]): Promise<number> =>
  (await db.only(grants, { ids })).removed;
