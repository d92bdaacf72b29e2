import { readLedger } from '../../src/reconciliation/store.ts';
import type { TestDatabase } from './database.ts';
import { queryableOf } from './reconcile.ts';
import type { TestService } from './service.ts';

export interface Ledger {
  readonly created: number;
  readonly revoked: number;
  readonly expired: number;
  readonly active: number;
}

/** Created, revoked and expired grants of a whole database; tallies stand for rows that went with their agents. */
export async function ledgerOf(database: TestDatabase): Promise<Ledger> {
  const { consented, delegated, revoked, expired, active } = await readLedger(queryableOf(database));
  return { created: consented + delegated, revoked, expired, active };
}

/** What has become of every delivery that there ever was. */
export interface DeliveryLedger {
  readonly delivered: number;
  readonly failed: number;
  readonly pending: number;
}

/** Deliveries of a whole database; tallies stand for rows that are gone, as what they were then. */
export async function deliveryLedgerOf(database: TestDatabase): Promise<DeliveryLedger> {
  const { delivered, failed, pending } = await readLedger(queryableOf(database));
  return { delivered, failed, pending };
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
