import type { TestDatabase } from './database.ts';
import type { TestService } from './service.ts';

export interface Ledger {
  readonly created: number;
  readonly revoked: number;
  readonly expired: number;
  readonly active: number;
}

/** Created, revoked and expired grants of a whole database; tallies stand for rows that went with their agents. */
export async function ledgerOf({ sql }: TestDatabase): Promise<Ledger> {
  const [row] = await sql<[Ledger]>`
    select (rows.total + tallies.created)::int as created, (rows.revoked + tallies.revoked)::int as revoked,
      rows.expired::int as expired, rows.active::int as active
    from (select count(*) as total, count(*) filter (where status = 'revoked') as revoked,
        count(*) filter (where status = 'active' and expires_at <= now()) as expired,
        count(*) filter (where status = 'active' and expires_at > now()) as active from grants) as rows,
      (select coalesce(sum(consented + delegated), 0) as created, coalesce(sum(revoked), 0) as revoked
        from removed_grants) as tallies`;
  return row;
}

/** What has become of every delivery that there ever was. */
export interface DeliveryLedger {
  readonly delivered: number;
  readonly failed: number;
  readonly pending: number;
}

/** Deliveries of a whole database; tallies stand for rows that are gone, as what they were then. */
export async function deliveryLedgerOf({ sql }: TestDatabase): Promise<DeliveryLedger> {
  const [row] = await sql<[DeliveryLedger]>`
    select coalesce(sum(total) filter (where status = 'delivered'), 0)::int as delivered,
      coalesce(sum(total) filter (where status = 'failed'), 0)::int as failed,
      coalesce(sum(total) filter (where status = 'pending'), 0)::int as pending
    from (select status, count(*) as total from webhook_deliveries group by status
      union all select status, total from removed_deliveries) as every`;
  return row;
}

/** One series, summed over replicas: each counts what it did itself. */
export async function sumOver(
  services: readonly TestService[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const scrapes = await Promise.all(services.map((service) => service.scrape()));
  return scrapes.reduce((sum, scrape) => sum + (scrape.value(name, labels) ?? Number.NaN), 0);
}
