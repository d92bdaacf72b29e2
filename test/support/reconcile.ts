import { expect } from 'vitest';
import type { Queryable } from '../../src/db/client.ts';
import { type Reconciliation, reconcile } from '../../src/reconciliation/reconcile.ts';
import { scrapeSource } from '../../src/reconciliation/scrape-source.ts';
import type { TestDatabase } from './database.ts';
import type { TestService } from './service.ts';

/** What reads ledgers, on the test's own connection. */
export const queryableOf = ({ sql }: TestDatabase): Queryable => ({
  rows: async <R>(statement: { readonly text: string }, values: readonly unknown[]) =>
    Array.from(await sql.unsafe(statement.text, [...values] as never[])) as R[],
});

/** The metrics of services that share a database, against its rows, as `npm run reconcile` compares them. */
export const reconcileServices = (
  services: readonly TestService[],
  patienceMs = 15_000,
): Promise<Reconciliation> => {
  const [first] = services;
  if (!first) throw new Error('no service');
  const urls = services.map(({ url }) => `${url}/metrics`);
  const source = scrapeSource(urls, null);
  return reconcile({ db: queryableOf(first.database), source, since: null, patienceMs });
};

/** Counters and gauges say what the rows say: these services have counted all there is in their database. */
export async function expectReconciled(...services: readonly TestService[]): Promise<void> {
  const { findings } = await reconcileServices(services);
  expect(findings.filter(({ verdict }) => verdict !== 'equal')).toEqual([]);
}
