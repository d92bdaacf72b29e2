import { expect } from 'vitest';
import { valuesOf } from '../../src/db/query.ts';
import { createQueryable, type Queryable } from '../../src/db/queryable.ts';
import { reconcile, takeSnapshot } from '../../src/reconciliation/reconcile.ts';
import { scrapeSource } from '../../src/reconciliation/scrape-source.ts';
import type { Snapshot } from '../../src/reconciliation/snapshot.ts';
import type { TestDatabase } from './database.ts';
import { type TestService, waitFor } from './service.ts';

/** Adapts the test's own connection to the functions that read ledgers. */
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
  return { db: queryableOf(first.database), source, patienceMs: PATIENCE_MS, fullCount: true };
};

/** The start of an interval in which the test will kill one of the services. */
export const snapshotOf = (...services: readonly TestService[]): Promise<Snapshot> =>
  takeSnapshot(optionsFor(services));

/** Counters and gauges agree with the rows. These services must have done all the work in their database. */
export async function expectReconciled(...services: readonly TestService[]): Promise<void> {
  const { findings, living } = await reconcile({ ...optionsFor(services), since: null });
  expect(findings.filter(({ verdict }) => verdict !== 'equal')).toEqual([]);
  expect(living).toHaveLength(services.length);
}

/** The same for what has come since the snapshot, whichever processes have ended in order. */
export async function expectReconciledSince(
  since: Snapshot,
  ...services: readonly TestService[]
): Promise<void> {
  const { findings, ended } = await reconcile({ ...optionsFor(services), since });
  expect(findings.filter(({ verdict }) => verdict !== 'equal')).toEqual([]);
  expect(ended).toEqual([]);
}

/**
 * `killed` processes were killed since the snapshot. Everything counted exists, and the uncounted rows are at most
 * those that the killed processes may have written.
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
 * Counters and gauges agree with the rows, except for at most `unknown` uncounted rows in each line. Those may come
 * from requests whose outcome is unknown.
 */
export async function expectReconciledBut(
  unknown: number,
  ...services: readonly TestService[]
): Promise<void> {
  const look = async () => {
    // A gap that stays would use up all the patience of the command.
    const { findings } = await reconcile({ ...optionsFor(services), since: null, patienceMs: 0 });
    return findings.filter(({ verdict, counted, least, most }) => {
      if (verdict === 'equal') return false;
      return counted === null || counted > most || least - counted > unknown;
    });
  };
  const agree = async () => ((await look()).length === 0 ? [] : undefined);
  expect(await waitFor(agree, PATIENCE_MS).catch(look)).toEqual([]);
}
