import { cpuOf, cpuOfFamily } from './cpu.ts';
import { drive } from './drive.ts';
import { readMetrics, sumOf } from './exposition.ts';
import type { Party } from './party.ts';
import type { Scenario } from './scenarios.ts';
import type { Server, World } from './world.ts';

/** One stretch of load on one server; times are per piece of work. */
export interface Measured {
  readonly perSecond: number;
  /** Milliseconds, of single requests. */
  readonly p50: number;
  readonly p99: number;
  /** Microseconds of CPU. */
  readonly serviceCpu: number;
  readonly databaseCpu: number;
  /** SQL statements, BEGIN and COMMIT among them, by the service's own count; null without metrics. */
  readonly statements: number | null;
}

export interface Load {
  readonly connections: number;
  readonly seconds: number;
}

export async function measure(
  world: World,
  server: Server,
  scenario: Scenario,
  party: Party,
  load: Load,
): Promise<Measured> {
  // The scrapes that count statements fall outside the CPU time.
  const statementsBefore = await statementsOf(server);
  const before = cpuNow(world, server);
  const driven = await drive(server.url, scenario.requests(party), load);
  const after = cpuNow(world, server);
  const statementsAfter = await statementsOf(server);
  const pieces = driven.requests / scenario.steps;
  return {
    perSecond: pieces / driven.seconds,
    p50: driven.p50,
    p99: driven.p99,
    serviceCpu: (after.service - before.service) / pieces,
    databaseCpu: (after.database - before.database) / pieces,
    statements:
      statementsBefore === null || statementsAfter === null
        ? null
        : (statementsAfter - statementsBefore) / pieces,
  };
}

const cpuNow = (world: World, server: Server) => ({
  service: cpuOf(server.pid),
  database: cpuOfFamily(world.postmaster),
});

async function statementsOf(server: Server): Promise<number | null> {
  const metrics = await readMetrics(server);
  return metrics === null ? null : sumOf(metrics, 'db_client_operation_duration_seconds_count');
}
