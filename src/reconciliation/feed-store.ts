// The revocation feed against the rows that it tells of. A trigger writes an entry with the row, so one statement, which sees one
// moment, is exact while the service works. What expires within a minute is left out: replicas remove such entries by their clocks.
import { int, text } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import { removedAt } from '../grants/removal-marks-store.ts';

/** What one kind of entry or event says, and what the rows say. */
export interface FeedFinding {
  readonly what: string;
  /** Of what is revoked or suspended and has not expired. */
  readonly rows: number;
  /** Rows that have an entry. */
  readonly told: number;
  /** Rows whose entry has no number yet, or is still to be made by the job that works off a removal or a suspension. */
  readonly waiting: number;
  /** Rows without an entry that will ever come. */
  readonly missing: number;
  /** Entries of what is neither revoked nor suspended. */
  readonly surplus: number;
  /** Entries whose row retention or a removal has taken away: nothing is left to compare them with. */
  readonly rowless: number;
}

export const FEED_ROW = {
  what: text,
  rows: int,
  told: int,
  waiting: int,
  missing: int,
  surplus: int,
  rowless: int,
};

const LASTS = "expires_at > now() + interval '1 minute'";

/**
 * @param fallen a select of `id`, and `pending` where the entry cannot be there yet
 * @param entries a select of `id`
 * @param is SQL about the row of an entry: it is there at all; it is neither revoked nor suspended; its entry is being taken back
 */
export const comparing = (
  what: string,
  fallen: string,
  entries: string,
  is: { there: string; alive: string; pending?: string },
) => `
    select '${what}' as what, count(fallen.id)::int as rows,
      count(*) filter (where fallen.id = entry.id)::int as told,
      count(*) filter (where entry.id is null and pending or fallen.id is null and ${is.pending ?? 'false'})::int as waiting,
      count(*) filter (where entry.id is null and not pending)::int as missing,
      count(*) filter (where fallen.id is null and ${is.alive} and not ${is.pending ?? 'false'})::int as surplus,
      count(*) filter (where fallen.id is null and not ${is.there})::int as rowless
    from (${fallen}) fallen full join (${entries}) entry on entry.id = fallen.id`;

const feed = query({
  operation: 'SELECT',
  collection: 'revocation_entries',
  name: 'reconciliation.feed',
  text: `with dead as materialized (
      select id, exists (select from removal_grants where grant_id = grants.id) as found from grants
      where status = 'active' and ${LASTS} and developer_id in (select developer_id from removals where finished_at is null)
        and ${removedAt('grants', 'grants.developer_id')} is not null),
    changing as materialized (select distinct agent_id from revocation_agents)
    ${comparing(
      'feed, revoked grants',
      `select id, exists (select from revocation_outbox where action = 'revoked' and grant_id = grants.id) as pending
        from grants where status = 'revoked' and ${LASTS}
        union all select id, not found
          or exists (select from revocation_outbox where action = 'revoked' and grant_id = dead.id) from dead`,
      `select grant_id as id from revocation_entries where action = 'revoked' and ${LASTS}`,
      {
        there: 'exists (select from grants where id = entry.id)',
        alive: `exists (select from grants where id = entry.id and status = 'active' and ${LASTS})`,
      },
    )}
    union all ${comparing(
      'feed, revoked tokens',
      `select jti as id, exists (select from revocation_outbox where jti = tokens.jti) as pending
        from tokens where revoked_at is not null and ${LASTS}`,
      `select jti as id from revocation_entries where action = 'token_revoked' and ${LASTS}`,
      {
        there: 'exists (select from tokens where jti = entry.id)',
        alive: `exists (select from tokens where jti = entry.id and revoked_at is null and ${LASTS})`,
      },
    )}
    union all ${comparing(
      'feed, suspended grants',
      `select grants.id, agent_id in (select agent_id from changing) as pending
        from grants join agents on agents.id = agent_id
        where grants.status = 'active' and ${LASTS} and agents.status = 'suspended' and removed_at is null
          and grants.id not in (select id from dead)`,
      // What is revoked is told of by its own entry, and a removal tells of what it kills.
      `select grants.id from (
          select distinct on (grant_id) grant_id, action from revocation_entries
          where action <> 'token_revoked' and ${LASTS} order by grant_id, seq desc) newest
        join grants on grants.id = grant_id join agents on agents.id = agent_id
        where action = 'suspended' and grants.status = 'active' and grants.${LASTS} and removed_at is null
          and grants.id not in (select id from dead)`,
      {
        there: 'true',
        alive: 'true',
        pending:
          'exists (select from grants where id = entry.id and agent_id in (select agent_id from changing))',
      },
    )}`,
  params: {},
  row: FEED_ROW,
});

/** Compares the revocation feed with the rows of grants and tokens, as of one moment. It takes whole tables. */
export const compareFeed = (db: Queryable): Promise<FeedFinding[]> => db.all(feed, {});
