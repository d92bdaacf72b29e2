import { expect } from 'vitest';
import { valuesOf } from '../../src/db/query.ts';
import { createQueryable, type Queryable } from '../../src/db/queryable.ts';
import { reconcile, takeSnapshot } from '../../src/reconciliation/reconcile.ts';
import { scrapeSource } from '../../src/reconciliation/scrape-source.ts';
import type { Snapshot } from '../../src/reconciliation/snapshot.ts';
import type { TestDatabase } from './database.ts';
import type { TestService } from './service.ts';

/** What reads ledgers, on the test's own connection. */
export const queryableOf = ({ sql }: Pick<TestDatabase, 'sql'>): Queryable =>
  createQueryable(async (query, values) =>
    Array.from(await sql.unsafe(query.text, valuesOf(query, values) as never[])),
  );

const PATIENCE_MS = 20_000;

const optionsFor = (services: readonly TestService[]) => {
  const [first] = services;
  if (!first) throw new Error('no service');
  const source = scrapeSource(
    services.map(({ url }) => `${url}/metrics`),
    null,
  );
  return { db: queryableOf(first.database), source, patienceMs: PATIENCE_MS };
};

/** Where an interval begins in which one of the services is going to be killed. */
export const snapshotOf = (...services: readonly TestService[]): Promise<Snapshot> =>
  takeSnapshot(optionsFor(services));

/** Counters and gauges say what the rows say: these services have counted all there is in their database. */
export async function expectReconciled(...services: readonly TestService[]): Promise<void> {
  const { findings, living } = await reconcile({ ...optionsFor(services), since: null });
  expect(findings.filter(({ verdict }) => verdict !== 'equal')).toEqual([]);
  expect(living).toHaveLength(services.length);
}

/**
 * Since the snapshot so many processes were killed: nothing is counted that is not there, and what is not counted is no more
 * than they may have done.
 */
export async function expectExplained(
  since: Snapshot,
  killed: number,
  ...services: readonly TestService[]
): Promise<void> {
  const { findings, ended } = await reconcile({ ...optionsFor(services), since });
  expect(findings.filter(({ verdict }) => verdict === 'differs')).toEqual([]);
  expect(ended).toHaveLength(killed);
}

/**
 * Counters and gauges say what the rows say, but for so many rows at most in each line that requests may have left whose
 * callers were told that nobody knows.
 */
export async function expectReconciledBut(
  unknown: number,
  ...services: readonly TestService[]
): Promise<void> {
  const { findings } = await reconcile({ ...optionsFor(services), since: null });
  const wrong = findings.filter(({ verdict, counted, least, most }) => {
    if (verdict === 'equal') return false;
    return counted === null || counted > most || least - counted > unknown;
  });
  expect(wrong).toEqual([]);
}
