import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { printTable, type Row } from '../load/table.ts';
import { expectExactGauge, runCase } from './case.ts';
import type { Fault } from './fault.ts';
import { runFrozen, runFrozenSettle } from './frozen.ts';
import { runLocked } from './locked.ts';
import { startOn } from './use-way.ts';
import { openRoute, type Route, type Way } from './ways.ts';
import type { Work } from './works.ts';

/** The tests for one way. */
export interface Column {
  readonly way: Way;
  readonly faults: readonly Fault[];
  /** Work whose lock another session holds. */
  readonly locked: readonly Work[];
  readonly lockedMs: number;
  /** Work during which a replica freezes. */
  readonly frozen: readonly Work[];
  /** Whether a replica also freezes while it stores the outcome of a webhook. */
  readonly settles: boolean;
}

const TIMEOUT_MS = 180_000;

/** Starts one server for each way. Every case leaves the server as it found it. */
export function defineTable(columns: readonly Column[]): void {
  describe.each(columns)(
    'database by way of $way.name',
    ({ way, faults, locked, lockedMs, frozen, settles }) => {
      let route: Route;
      const results: Record<'faults' | 'locks' | 'frozen replicas', Row[]> = {
        faults: [],
        locks: [],
        'frozen replicas': [],
      };
      beforeAll(async () => {
        route = await openRoute(way);
      }, TIMEOUT_MS);
      afterAll(async () => {
        for (const [title, rows] of Object.entries(results))
          printTable(`${title}, by way of ${way.name}`, rows);
        await route.end();
      }, TIMEOUT_MS);

      test.each(faults)(
        '$name',
        async (fault) => {
          const result = await runCase(route, fault);
          results.faults.push({ ...result });
          expect(result.requests).toBeGreaterThan(0);
        },
        TIMEOUT_MS,
      );

      test.each(locked)(
        'somebody else keeps a lock: $name',
        async (work) => {
          const [service] = await startOn(route, 1, REPLICA_ENV);
          if (!service) throw new Error('there is no service');
          results.locks.push(await runLocked(service, work, lockedMs));
          await expectExactGauge(route, [service]);
          expect(await service.stop()).toBe(0);
        },
        TIMEOUT_MS,
      );

      test.each(frozen)(
        'one replica of three freezes: $name',
        async (work) => {
          const [one, two, three] = await startOn(route, 3, REPLICA_ENV);
          if (!one || !two || !three) throw new Error('there are too few services');
          results['frozen replicas'].push(await runFrozen([one, two, three], work));
          await expectExactGauge(route, [one, two, three]);
          for (const service of [one, two, three]) expect(await service.stop()).toBe(0);
        },
        TIMEOUT_MS,
      );

      test.each(settles ? [way] : [])(
        'one replica of three freezes while it stores what became of a webhook, by way of $name',
        async () => {
          const [one, two, three] = await startOn(route, 3, REPLICA_ENV);
          if (!one || !two || !three) throw new Error('there are too few services');
          results['frozen replicas'].push(await runFrozenSettle([one, two, three]));
          await expectExactGauge(route, [one, two, three]);
          for (const service of [one, two, three]) expect(await service.stop()).toBe(0);
        },
        TIMEOUT_MS,
      );
    },
  );
}

/** Replicas have one issuer, so each accepts the tokens of the others. */
const REPLICA_ENV = {
  ALLOW_PRIVATE_WEBHOOK_HOSTS: 'true',
  DATABASE_POOL_MAX: '4',
  JWT_ISSUER: 'https://auth.example.com',
};
