import { cpuOf, cpuOfFamily } from './cpu.ts';
import { drive } from './drive.ts';
import type { Party, Scenario } from './scenarios.ts';
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
  /** SQL statements, by the service's own count; null without metrics. */
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
  const before = await snapshot(world, server);
  const driven = await drive(server.url, scenario.requests(party), load);
  const after = await snapshot(world, server);
  const pieces = driven.requests / scenario.steps;
  return {
    perSecond: pieces / driven.seconds,
    p50: driven.p50,
    p99: driven.p99,
    serviceCpu: (after.service - before.service) / pieces,
    databaseCpu: (after.database - before.database) / pieces,
    statements:
      before.statements === null || after.statements === null
        ? null
        : (after.statements - before.statements) / pieces,
  };
}

async function snapshot(world: World, server: Server) {
  return {
    // First, so that what the scrape itself costs falls outside on one side at least.
    statements: await statementsOf(server),
    service: cpuOf(server.pid),
    database: cpuOfFamily(world.postmaster),
  };
}

async function statementsOf({ url }: Server): Promise<number | null> {
  const response = await fetch(`${url}/metrics`);
  if (!response.ok) return null;
  const counts = (await response.text()).matchAll(
    /^db_client_operation_duration_seconds_count\{[^}]*\} (\S+)/gm,
  );
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}
