// Parts of the statements that issue tokens, or tell of them.

/**
 * SQL: the agents of a grant and of the grants above it, the grant's own first; null when there is no such grant. Each
 * level is one lookup by primary key, and there are at most ten. It is part of the statement that needs the chain, so
 * the chain costs no round trip, and a consented grant costs no lookup.
 * @param grantId an expression of the surrounding statement; for a token's `act` it names the parent
 */
export const agentsFrom = (grantId: string): string => `(
      with recursive above as (
        select agent_id, parent_grant_id, 1 as level from grants lowest where lowest.id = ${grantId}
        union all
        select next.agent_id, next.parent_grant_id, above.level + 1 from above cross join lateral (
          select agent_id, parent_grant_id from grants higher where higher.id = above.parent_grant_id limit 1) next)
      select array_agg(agent_id order by level) from above)`;

/**
 * SQL: when a token that is issued at `now` expires. It never outlives its grant, which expires at a whole second, nor
 * lives longer than `seconds`.
 */
export const tokenExpiry = (grantExpiresAt: string, now: string, seconds: string): string =>
  `least(${grantExpiresAt}, date_trunc('second', ${now}) + make_interval(secs => ${seconds}))`;
