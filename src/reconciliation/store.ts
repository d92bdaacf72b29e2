import { float, int, json, text } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import type { AnomalyType } from '../label-values.ts';
import { countedNumbers, keptNumbers } from '../tallies/store.ts';

/** How many there ever were: rows, and the tallies of rows that are gone. Only grows. */
export interface Totals {
  /** Requests for authorization that were accepted. */
  readonly requested: number;
  readonly consented: number;
  readonly delegated: number;
  readonly refreshed: number;
  readonly revoked: number;
  readonly delivered: number;
  readonly failed: number;
  /** Anomalies opened, by type; none: no member. */
  readonly anomalies: Readonly<Partial<Record<AnomalyType, number>>>;
}

/** What the database says at one moment. */
export interface Ledger extends Totals {
  /** Grants that are active and not expired, without those of `removalPending`. */
  readonly active: number;
  /** Grants that are dead by a removal and whose rows are still to be revoked. */
  readonly removalPending: number;
  /** Anomalies without an acknowledgement. */
  readonly unacknowledged: number;
  /** Grants that were active when they ran out: created − revoked − expired − removalPending = active. */
  readonly expired: number;
  /** Deliveries that have not ended, and those that were removed before they did. */
  readonly pending: number;
}

/** Both ends included. */
export interface Period {
  readonly from: Date;
  readonly to: Date;
}

const totals = {
  requested: int,
  consented: int,
  delegated: int,
  refreshed: int,
  revoked: int,
  delivered: int,
  failed: int,
  anomalies: json<Totals['anomalies']>(),
};

/** What the rows that retention removed had counted for. */
const RETIRED = `select coalesce(sum(total) filter (where counted = 'requested'), 0),
        coalesce(sum(total) filter (where counted = 'consented'), 0),
        coalesce(sum(total) filter (where counted = 'delegated'), 0),
        coalesce(sum(total) filter (where counted = 'refreshed'), 0),
        coalesce(sum(total) filter (where counted = 'revoked'), 0)
      from retention_tallies`;

const ledgerWith = (name: string, numbers: ReturnType<typeof keptNumbers>) =>
  query({
    operation: 'SELECT',
    collection: 'grants',
    name,
    text: `select (select count(*) from authorization_requests)::int + removed.requested as requested,
      granted.consented + removed.consented as consented, granted.delegated + removed.delegated as delegated,
      (select coalesce(sum(1 + repeats), 0) from refresh_tokens where predecessor is not null)::int + removed.refreshed
        as refreshed,
      granted.revoked + removed.revoked as revoked, granted.expired + removed.expired as expired, delivery.*,
      ${numbers.active} as active, ${numbers.pending} as "removalPending", ${numbers.unacknowledged} as unacknowledged,
      (select coalesce(json_object_agg(type, total), '{}') from (
        select type, sum(total) as total from (
          select type, count(*) as total from anomalies group by type
          union all select type, total from retention_tallies where counted = 'anomalies') every group by type) opened)
        as anomalies
    from (select count(*) filter (where parent_grant_id is null)::int as consented,
        count(*) filter (where parent_grant_id is not null)::int as delegated,
        count(*) filter (where status = 'revoked')::int as revoked,
        count(*) filter (where status = 'active' and expires_at <= now())::int as expired
      from grants) granted,
      (select coalesce(sum(requested), 0)::int as requested, coalesce(sum(consented), 0)::int as consented,
        coalesce(sum(delegated), 0)::int as delegated, coalesce(sum(refreshed), 0)::int as refreshed,
        coalesce(sum(revoked), 0)::int as revoked, coalesce(sum(consented + delegated - revoked), 0)::int as expired
      from (select requested, consented, delegated, refreshed, revoked from removed_grants
        union all ${RETIRED}) every) removed,
      (select coalesce(sum(total) filter (where status = 'delivered'), 0)::int as delivered,
        coalesce(sum(total) filter (where status = 'failed'), 0)::int as failed,
        coalesce(sum(total) filter (where status = 'pending'), 0)::int as pending
      from (select status, count(*) as total from webhook_deliveries group by status
        union all select status, total from removed_deliveries) every) delivery`,
    params: {},
    row: {
      ...totals,
      active: float,
      removalPending: float,
      expired: int,
      unacknowledged: float,
      pending: int,
    },
  });
const cheapLedger = ledgerWith('reconciliation.ledger', keptNumbers('now()'));
const fullLedger = ledgerWith('reconciliation.ledger_full_count', countedNumbers('now()'));

/**
 * The whole ledger, as of one moment. What counters are compared with takes whole tables: a second or so for a million grants.
 * @param fullCount what gauges are compared with is counted too, instead of taken from the numbers that the service keeps
 */
export const readLedger = (db: Queryable, { fullCount }: { fullCount: boolean }): Promise<Ledger> =>
  db.only(fullCount ? fullLedger : cheapLedger, {});

// Of what was removed early the minute is known in which it was counted, and of what retention removed the day. Grants of a removal
// bear its time, and are counted from then to its end. A failed delivery of a release before this one has no time of failure: it
// may have failed within a period that begins after it was created.
const DAY_IN_PERIOD = `exists (select from period
          where day between ("from" at time zone 'UTC')::date and ("to" at time zone 'UTC')::date)`;
const MINUTE_IN_PERIOD = `exists (select from period where minute <= "to" and minute + interval '1 minute' > "from")`;
const inPeriod = (time: string) => `exists (select from period where ${time} between "from" and "to")`;
const within = query({
  operation: 'SELECT',
  collection: 'grants',
  name: 'reconciliation.within',
  text: `with period as materialized (
      select * from jsonb_to_recordset($periods::text::jsonb) as period ("from" timestamptz, "to" timestamptz)),
    gone as materialized (
      select counted, type, total from retention_tallies where ${DAY_IN_PERIOD}
      union all select counted, '', total from removed_counts where ${MINUTE_IN_PERIOD}),
    removed as materialized (
      select ${['requested', 'consented', 'delegated', 'refreshed', 'revoked', 'delivered', 'failed']
        .map((name) => `coalesce(sum(total) filter (where counted = '${name}'), 0)::int as ${name}`)
        .join(', ')}
      from gone)
    select removed.requested + (select count(*) from authorization_requests where ${inPeriod('created_at')})::int as requested,
      removed.consented + (select count(*) from grants
        where parent_grant_id is null and ${inPeriod('issued_at')})::int as consented,
      removed.delegated + (select count(*) from grants
        where parent_grant_id is not null and ${inPeriod('issued_at')})::int as delegated,
      removed.refreshed + (select coalesce(sum(1 + repeats), 0) from refresh_tokens
        where predecessor is not null and ${inPeriod('issued_at')})::int as refreshed,
      removed.revoked + (select count(*) from grants where ${inPeriod('revoked_at')})::int
        + (select coalesce(sum(removals.revoked), 0) from removals where exists (
          select from period where removed_at <= "to" and coalesce(finished_at, 'infinity') >= "from"))::int as revoked,
      removed.delivered + (select count(*) from webhook_deliveries where ${inPeriod('delivered_at')})::int as delivered,
      removed.failed + (select count(*) from webhook_deliveries where status = 'failed' and (${inPeriod('failed_at')}
        or failed_at is null and created_at <= (select max("to") from period)))::int as failed,
      (select coalesce(json_object_agg(type, total), '{}') from (
        select type, sum(total) as total from (
          select type, count(*) as total from anomalies where ${inPeriod('detected_at')} group by type
          union all select type, total from gone where counted = 'anomalies') every
        group by type) opened) as anomalies
    from removed`,
  params: { periods: text },
  row: totals,
});

/** How many there were at most within any of the periods, by the times of their rows. */
export const totalsWithin = (db: Queryable, periods: readonly Period[]): Promise<Totals> =>
  db.only(within, { periods: JSON.stringify(periods) });
