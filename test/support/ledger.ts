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

/** The grants of a whole database by state. Stored counts replace the rows that were removed with their agents. */
export async function ledgerOf(database: TestDatabase): Promise<Ledger> {
  const { consented, delegated, revoked, expired, active } = await readLedger(queryableOf(database), {
    fullCount: true,
  });
  return { created: consented + delegated, revoked, expired, active };
}

/** The number of deliveries by outcome, including removed ones. */
export interface DeliveryLedger {
  readonly delivered: number;
  readonly failed: number;
  readonly pending: number;
}

/** The deliveries of a whole database. Stored counts replace removed rows, with the state at their removal. */
export async function deliveryLedgerOf(database: TestDatabase): Promise<DeliveryLedger> {
  const { delivered, failed, pending } = await readLedger(queryableOf(database), { fullCount: true });
  return { delivered, failed, pending };
}

/** The sum of one series over all replicas. Each replica counts only its own work. */
export async function sumOver(
  services: readonly TestService[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const scrapes = await Promise.all(services.map((service) => service.scrape()));
  return scrapes.reduce((sum, scrape) => sum + (scrape.value(name, labels) ?? Number.NaN), 0);
}
