import { orNull, smallint, text, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import type { RetentionTable } from '../label-values.ts';
import { oldestRemovable } from './audit-store.ts';
import type { Cutoffs } from './cutoffs.ts';
import { walkPosition } from './state-store.ts';

// The first entry of one index each, whatever the number of rows. They are written like the statements that remove, which use
// the same indexes.
const oldest = query({
  operation: 'SELECT',
  collection: 'grants',
  name: 'retention.oldest',
  text: `select
      (select greatest(expires_at, code_expires_at) from authorization_requests
        order by greatest(expires_at, code_expires_at) limit 1) as requests,
      (select least(expires_at, revoked_at) from tokens order by least(expires_at, revoked_at) limit 1) as tokens,
      (select issued_at from refresh_tokens
        where predecessor is not null and (issued_at, hash) > ($usedAt::timestamptz, decode($usedId, 'hex'))
        order by issued_at, hash limit 1) as used,
      (select least(expires_at, revoked_at) from grants
        where (least(expires_at, revoked_at), -delegation_depth, id) > ($at::timestamptz, $depth::smallint, $id)
        order by least(expires_at, revoked_at), -delegation_depth, id limit 1) as "grantsWithTokens",
      (select least(expires_at, revoked_at) from grants
        order by least(expires_at, revoked_at), -delegation_depth, id limit 1) as grants,
      (select acknowledged_at from anomalies where acknowledged_at is not null order by acknowledged_at limit 1) as anomalies`,
  params: { usedAt: timestamp, usedId: text, at: timestamp, depth: smallint, id: text },
  row: {
    requests: orNull(timestamp),
    tokens: orNull(timestamp),
    used: orNull(timestamp),
    grantsWithTokens: orNull(timestamp),
    grants: orNull(timestamp),
    anomalies: orNull(timestamp),
  },
});

/**
 * How long, in seconds, the oldest row of each table has been due for removal; 0: none is due. Of refresh tokens: the oldest
 * one whose use has not been looked at, or the oldest grant whose tokens have not.
 */
export async function oldestDueSeconds(
  db: Queryable,
  cutoffs: Cutoffs,
): Promise<Record<RetentionTable, number>> {
  const used = await walkPosition(db, 'used_refresh_tokens');
  const position = await walkPosition(db, 'tokens_of_grants');
  const first = await db.only(oldest, { usedAt: used.at, usedId: used.id, ...position });
  const audit = cutoffs.audit && (await oldestRemovable(db));
  const due = (ended: Date | null, before: Date | null) =>
    ended && before ? Math.max(0, (before.getTime() - ended.getTime()) / 1000) : 0;
  return {
    authorization_requests: due(first.requests, cutoffs.rows),
    tokens: due(first.tokens, cutoffs.rows),
    refresh_tokens: Math.max(
      due(first.used, cutoffs.rows),
      due(first.grantsWithTokens, cutoffs.tokensOfGrants),
    ),
    anomalies: due(first.anomalies, cutoffs.rows),
    grants: due(first.grants, cutoffs.grants),
    audit_entries: due(audit, cutoffs.audit),
  };
}
