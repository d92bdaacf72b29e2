// The event stream against the rows that its events tell of. A statement that changes a grant writes the event with it, so one
// statement, which sees one moment, is exact.
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import { comparing, FEED_ROW, type FeedFinding } from './feed-store.ts';

/** One line for each type of event about a grant. @param at the time in the row of a grant; null: nothing happened yet */
const comparingGrants = (what: string, type: string, at: string) =>
  comparing(
    what,
    `select grants.id,
        exists (select from event_outbox where type = '${type}' and data ->> 'grantId' = grants.id) as pending
      from grants join followed using (developer_id) where ${at} > since`,
    `select distinct data ->> 'grantId' as id from events join followed using (developer_id)
      where type = '${type}' and created_at > since`,
    {
      there: 'exists (select from grants where id = entry.id)',
      alive: `exists (select from grants where id = entry.id and ${at} is null)`,
    },
  );

// Only developers that follow have events, from the moment on at which they began. Their oldest event is younger than that. A
// minute more, because clocks of replicas differ, and because a change may have been under way then.
const events = query({
  operation: 'SELECT',
  collection: 'events',
  name: 'reconciliation.events',
  text: `with followed as materialized (
      select developer_id, min(created_at) + interval '1 minute' as since
      from event_followers join events using (developer_id) where seq > since_seq and until > now()
      group by developer_id)
    ${comparingGrants('events, new grants', 'grant.created', 'issued_at')}
    union all ${comparingGrants('events, revoked grants', 'grant.revoked', 'revoked_at')}`,
  params: {},
  row: FEED_ROW,
});

/** Compares the events of the last day with the rows of grants, as of one moment. It takes whole tables. */
export const compareEvents = (db: Queryable): Promise<FeedFinding[]> => db.all(events, {});
