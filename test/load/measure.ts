import { cpuOf, cpuOfFamily } from './cpu.ts';
import { drive } from './drive.ts';
import { readMetrics, sumOf } from './exposition.ts';
import type { Scenario } from './scenarios.ts';
import type { Tenants } from './tenants.ts';
import type { Server, Testbed } from './testbed.ts';

/** The figures of one run of load on one server. Times are per piece of work. */
export interface Measured {
  readonly perSecond: number;
  /** The latency of single requests in milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** CPU time in microseconds. */
  readonly serviceCpu: number;
  readonly databaseCpu: number;
  /** SQL statements by the service's own count, with BEGIN and COMMIT; null without metrics. */
  readonly statements: number | null;
}

export interface Load {
  readonly connections: number;
  readonly seconds: number;
  /** This many requests instead of a time. */
  readonly amount?: number;
}

export async function measure(
  testbed: Testbed,
  server: Server,
  scenario: Pick<Scenario, 'steps' | 'requests'>,
  tenants: Tenants,
  load: Load,
): Promise<Measured> {
  // The scrapes that read the count of statements are outside the measured CPU time.
  const statementsBefore = await statementsOf(server);
  const before = cpuNow(testbed, server);
  const driven = await drive(server.url, scenario.requests(tenants), load);
  const after = cpuNow(testbed, server);
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

const cpuNow = (testbed: Testbed, server: Server) => ({
  service: cpuOf(server.pid),
  database: cpuOfFamily(testbed.postmaster),
});

async function statementsOf(server: Server): Promise<number | null> {
  const metrics = await readMetrics(server);
  return metrics === null ? null : sumOf(metrics, 'db_client_operation_duration_seconds_count');
}
