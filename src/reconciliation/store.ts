import { int, json, text } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import type { AnomalyType } from '../label-values.ts';

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
  /** Grants that are active and not expired. */
  readonly active: number;
  /** Anomalies without an acknowledgement. */
  readonly unacknowledged: number;
  /** Grants that were active when they ran out: created − revoked − expired = active. */
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

/** What the rows that retention removed had counted for. @param where which of their days */
const retired = (where = 'true') => `select coalesce(sum(total) filter (where counted = 'requested'), 0),
        coalesce(sum(total) filter (where counted = 'consented'), 0),
        coalesce(sum(total) filter (where counted = 'delegated'), 0),
        coalesce(sum(total) filter (where counted = 'refreshed'), 0),
        coalesce(sum(total) filter (where counted = 'revoked'), 0)
      from retention_tallies where ${where}`;

const ledger = query({
  operation: 'SELECT',
  collection: 'grants',
  name: 'reconciliation.ledger',
  text: `select (select count(*) from authorization_requests)::int + removed.requested as requested,
      granted.consented + removed.consented as consented, granted.delegated + removed.delegated as delegated,
      (select coalesce(sum(1 + repeats), 0) from refresh_tokens where predecessor is not null)::int + removed.refreshed
        as refreshed,
      granted.revoked + removed.revoked as revoked, granted.active,
      granted.expired + removed.expired as expired, delivery.*,
      (select coalesce(json_object_agg(type, total), '{}') from (
        select type, sum(total) as total from (
          select type, count(*) as total from anomalies group by type
          union all select type, total from retention_tallies where counted = 'anomalies') every group by type) opened)
        as anomalies,
      (select count(*) from anomalies where acknowledged_at is null)::int as unacknowledged
    from (select count(*) filter (where parent_grant_id is null)::int as consented,
        count(*) filter (where parent_grant_id is not null)::int as delegated,
        count(*) filter (where status = 'revoked')::int as revoked,
        count(*) filter (where status = 'active' and expires_at > now())::int as active,
        count(*) filter (where status = 'active' and expires_at <= now())::int as expired
      from grants) granted,
      (select coalesce(sum(requested), 0)::int as requested, coalesce(sum(consented), 0)::int as consented,
        coalesce(sum(delegated), 0)::int as delegated, coalesce(sum(refreshed), 0)::int as refreshed,
        coalesce(sum(revoked), 0)::int as revoked, coalesce(sum(consented + delegated - revoked), 0)::int as expired
      from (select requested, consented, delegated, refreshed, revoked from removed_grants
        union all ${retired()}) every) removed,
      (select coalesce(sum(total) filter (where status = 'delivered'), 0)::int as delivered,
        coalesce(sum(total) filter (where status = 'failed'), 0)::int as failed,
        coalesce(sum(total) filter (where status = 'pending'), 0)::int as pending
      from (select status, count(*) as total from webhook_deliveries group by status
        union all select status, total from removed_deliveries) every) delivery`,
  params: {},
  row: { ...totals, active: int, expired: int, unacknowledged: int, pending: int },
});

/** The whole ledger, as of one moment. Reads every table whole: a second or so for a million grants. */
export const readLedger = (db: Queryable): Promise<Ledger> => db.only(ledger, {});

// What a deleted agent had may belong to the periods, and so may the deliveries that were removed: all of it is added. When a
// delivery failed is not kept: all that were created before the end of a period may have failed within it. Of what retention
// removed the day is known.
const IN_PERIOD = `exists (select from period
          where day between ("from" at time zone 'UTC')::date and ("to" at time zone 'UTC')::date)`;
const within = query({
  operation: 'SELECT',
  collection: 'grants',
  name: 'reconciliation.within',
  text: `with period as materialized (
      select * from jsonb_to_recordset($periods::text::jsonb) as period ("from" timestamptz, "to" timestamptz)),
    removed as materialized (
      select coalesce(sum(requested), 0)::int as requested, coalesce(sum(consented), 0)::int as consented,
        coalesce(sum(delegated), 0)::int as delegated, coalesce(sum(refreshed), 0)::int as refreshed,
        coalesce(sum(revoked), 0)::int as revoked
      from (select requested, consented, delegated, refreshed, revoked from removed_grants
          where removed_at >= (select min("from") from period)
        union all ${retired(IN_PERIOD)}) every)
    select removed.requested + (select count(*) from authorization_requests
        where exists (select from period where created_at between "from" and "to"))::int as requested,
      removed.consented + (select count(*) from grants where parent_grant_id is null
        and exists (select from period where issued_at between "from" and "to"))::int as consented,
      removed.delegated + (select count(*) from grants where parent_grant_id is not null
        and exists (select from period where issued_at between "from" and "to"))::int as delegated,
      removed.refreshed + (select coalesce(sum(1 + repeats), 0) from refresh_tokens where predecessor is not null
        and exists (select from period where issued_at between "from" and "to"))::int as refreshed,
      removed.revoked + (select count(*) from grants
        where exists (select from period where revoked_at between "from" and "to"))::int as revoked,
      ((select count(*) from webhook_deliveries
        where exists (select from period where delivered_at between "from" and "to"))
        + (select coalesce(sum(total), 0) from removed_deliveries where status = 'delivered'))::int as delivered,
      ((select count(*) from webhook_deliveries where status = 'failed' and created_at <= (select max("to") from period))
        + (select coalesce(sum(total), 0) from removed_deliveries where status = 'failed'))::int as failed,
      (select coalesce(json_object_agg(type, total), '{}') from (
        select type, sum(total) as total from (
          select type, count(*) as total from anomalies
          where exists (select from period where detected_at between "from" and "to") group by type
          union all select type, total from retention_tallies where counted = 'anomalies' and ${IN_PERIOD}) every
        group by type) opened) as anomalies
    from removed`,
  params: { periods: text },
  row: totals,
});

/** How many there were at most within any of the periods, by the times of their rows. */
export const totalsWithin = (db: Queryable, periods: readonly Period[]): Promise<Totals> =>
  db.only(within, { periods: JSON.stringify(periods) });
