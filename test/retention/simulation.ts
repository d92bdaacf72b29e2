import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { makeCheckpoints } from '../../src/audit/make-checkpoints.ts';
import { loadConfig } from '../../src/config.ts';
import type { Database } from '../../src/db/client.ts';
import { sha256 } from '../../src/hash.ts';
import { readLedger } from '../../src/reconciliation/store.ts';
import { cutoffsAt } from '../../src/retention/cutoffs.ts';
import { oldestDueSeconds } from '../../src/retention/oldest-store.ts';
import { removeEnded } from '../../src/retention/remove-ended.ts';
import { keptActiveGrants } from '../../src/tallies/store.ts';
import { purgeDeliveries } from '../../src/webhooks/delivery-store.ts';
import { ISSUER, newKeyRing } from '../audit/chain-of.ts';
import { medianOf } from '../load/table.ts';
import type { TestDatabase } from '../support/database.ts';
import { openTestDatabase } from '../support/open-database.ts';
import { startHarness } from '../telemetry/harness.ts';
import { createSimulatedService, type LivingGrant } from './simulated-service.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Parts of a day, after each of which retention has its turn. */
const PARTS = 4;
/** Callers at any moment. */
const AT_ONCE = 100;

interface Scale {
  readonly days: number;
  readonly grantsPerDay: number;
  /** Most grants live for a day, and one in ten as long as this. */
  readonly longDays: number;
  /** Of all that has a retention. */
  readonly retentionDays: number;
}

/** A day, as it was at its end. */
export interface SimulatedDay {
  readonly day: number;
  /** Bytes by table and by index, after a vacuum. */
  readonly sizes: ReadonlyMap<string, number>;
  readonly removed: number;
  /** Median milliseconds of a hundred concurrent calls. */
  readonly exchangeMs: number;
  readonly refreshMs: number;
  /** The longest statement of retention. */
  readonly slowestRemovalMs: number;
}

/**
 * Lets days pass: new grants, refreshes, denials, revocations, audit entries,
 * webhook deliveries and anomalies; and retention, four times a day. After each day, and several times within each removal, what
 * was done is compared with the rows and tallies.
 */
export async function simulate(database: TestDatabase, scale: Scale): Promise<SimulatedDay[]> {
  const { sql } = database;
  const harness = startHarness();
  const db = await openTestDatabase(database);
  try {
    const days: SimulatedDay[] = [];
    const world = await prepare(database, db, scale);
    const keys = await newKeyRing('simulated');
    const end = Date.now();
    for (let day = 1; day <= scale.days; day++) {
      const times: Times = { exchange: [], refresh: [], removal: [] };
      const begun = (await removedSoFar(harness)) ?? 0;
      for (let part = 0; part < PARTS; part++) {
        world.clock.at = end - (scale.days - day + 1) * DAY + (part * DAY) / PARTS;
        await work(world, Math.round(scale.grantsPerDay / PARTS), times);
        await deliver(database, world.clock.at);
        await sign({ db, clock: world.clock, issuer: () => ISSUER, keys });
        await remove({ ...world, db, scale, telemetry: harness.telemetry }, times);
      }
      await compare(db, world);
      // What autovacuum does over a day, of which the simulation leaves it seconds.
      for (const table of TABLES) await sql.unsafe(`vacuum (analyze) ${table}`);
      days.push({
        day,
        sizes: await sizes(database),
        removed: (await removedSoFar(harness)) - begun,
        exchangeMs: medianOf(times.exchange, (ms) => ms),
        refreshMs: medianOf(times.refresh, (ms) => ms),
        slowestRemovalMs: Math.max(...times.removal),
      });
    }
    return days;
  } finally {
    await db.close(5000);
    await harness.stop();
  }
}

/** Retention removes audit entries below a checkpoint only. */
async function sign(deps: Parameters<typeof makeCheckpoints>[0]): Promise<void> {
  const fail = (error: unknown) => {
    throw error;
  };
  while (await makeCheckpoints(deps, fail));
}

const TABLES = [
  'authorization_requests',
  'tokens',
  'refresh_tokens',
  'grants',
  'anomalies',
  'audit_entries',
  'webhook_deliveries',
  'retention_tallies',
  'retention_positions',
];

type Service = ReturnType<typeof createSimulatedService>;
interface World {
  readonly service: Service;
  readonly clock: { at: number; now(): number };
  readonly longDays: number;
  /** Decided by a policy, and by a person. */
  readonly agents: readonly [string, string];
  /** All that is alive. */
  living: LivingGrant[];
}
interface Times {
  readonly exchange: number[];
  readonly refresh: number[];
  readonly removal: number[];
}

async function prepare({ sql }: TestDatabase, db: Database, { longDays }: Scale): Promise<World> {
  const developerId = 'dev_simulated';
  const key = randomUUID();
  const clock = { at: Date.now(), now: () => clock.at };
  await sql`insert into developers (id, name, mode, api_key_hash, created_at)
    values (${developerId}, 'D', 'live', ${sha256(key)}, now())`;
  await sql`insert into agents (id, developer_id, name, description, scopes, status, created_at, updated_at)
    select id, ${developerId}, 'A', '', '{}', 'active', now(), now() from unnest(array['ag_policy', 'ag_person']) id`;
  await sql`insert into policies (id, developer_id, name, effect, priority, agent_id, created_at, updated_at)
    values ('pol_1', ${developerId}, 'P', 'allow', 0, 'ag_policy', now(), now())`;
  await sql`insert into webhooks (id, developer_id, url, events, sealed_secret, created_at)
    values ('wh_1', ${developerId}, 'https://hooks.invalid/', '{grant.created,grant.revoked}', '', now())`;
  const service = createSimulatedService(db, clock, key, developerId);
  return { service, clock, longDays, agents: ['ag_policy', 'ag_person'], living: [] };
}

/** Calls for each of some, a hundred at once. @returns the milliseconds of each hundred */
async function forEach<T>(
  some: readonly T[],
  call: (one: T, n: number) => Promise<unknown>,
): Promise<number[]> {
  const times: number[] = [];
  for (let from = 0; from < some.length; from += AT_ONCE) {
    const begun = performance.now();
    await Promise.all(some.slice(from, from + AT_ONCE).map((one, n) => call(one, from + n)));
    times.push(performance.now() - begun);
  }
  return times;
}

async function work(world: World, count: number, times: Times): Promise<void> {
  const { service, clock, agents } = world;
  const [policy, person] = agents;
  const secondsOf = (n: number) => ((n % 10 === 0 ? world.longDays : 1) * DAY) / 1000;
  const agentOf = (n: number) => (n % 5 === 0 ? person : policy);
  const principalOf = (n: number) => `user_${n % 200}`;
  const numbers = Array.from({ length: count }, (_, n) => n);
  const codes = new Map<number, string>();
  await forEach(numbers, async (n) => {
    const { id, code } = await service.request(agentOf(n), principalOf(n), secondsOf(n));
    codes.set(n, agentOf(n) === person ? await service.decide(id, 'approved') : code);
  });
  // Nobody decides these, or somebody says no.
  await forEach(numbers.slice(0, Math.ceil(count / 5)), async (n) => {
    const { id } = await service.request(person, principalOf(n), 3600);
    if (n % 2) await service.decide(id, 'denied');
  });
  const made: LivingGrant[] = [];
  times.exchange.push(
    ...(await forEach(numbers, async (n) => {
      const grant = await service.exchange(agentOf(n), codes.get(n) ?? '', secondsOf(n));
      if (grant) made.push(grant);
    })),
  );
  expect(made).toHaveLength(count);
  world.living = world.living.filter(({ expiresAt }) => expiresAt > clock.at);
  // Each new grant twice, and a part of the others once.
  const others = world.living.filter((_, n) => n % PARTS === 0);
  for (const some of [made, made, others])
    times.refresh.push(
      ...(await forEach(some, async (grant) => expect(await service.refresh(grant)).toBe(true))),
    );
  const revoked = new Set(made.filter((_, n) => n % 10 === 3));
  await forEach([...revoked], ({ id }) => service.revoke(id));
  world.living = [...world.living, ...made.filter((grant) => !revoked.has(grant))];
  await forEach(made, ({ agentId, id }) => service.log(agentId, id));
  await forEach(
    made.filter((_, n) => n % 50 === 0),
    ({ agentId, id }) => service.anomaly(agentId, id),
  );
}

/** What the workers would have done by now. */
async function deliver({ sql }: TestDatabase, now: number): Promise<void> {
  await sql`update webhook_deliveries set queued = true, status = 'delivered', attempts = 1, delivered_at = ${new Date(now)}
    where status = 'pending'`;
}

async function remove(
  world: World & { db: Database; scale: Scale; telemetry: ReturnType<typeof startHarness>['telemetry'] },
  times: Times,
): Promise<void> {
  const { db, clock, scale, telemetry } = world;
  const days = String(scale.retentionDays);
  const config = loadConfig({ RETENTION_DAYS: days, GRANT_RETENTION_DAYS: days, AUDIT_RETENTION_DAYS: days });
  let steps = 0;
  await removeEnded({ db, config, clock, telemetry }, async (tookMs) => {
    times.removal.push(tookMs);
    steps += 1;
    if (steps % 25 === 0) await compare(db, world);
    return true;
  });
  const before = new Date(clock.at - scale.retentionDays * DAY);
  while ((await purgeDeliveries(db, before, 1000)) === 1000);
  const due = await oldestDueSeconds(db, cutoffsAt(config, clock.at));
  expect(due).toEqual(Object.fromEntries(Object.keys(due).map((table) => [table, 0])));
}

/** The rows and tallies say what was done. */
async function compare(db: Database, { service, clock, living }: World): Promise<void> {
  const { requested, consented, refreshed, revoked, active, expired, anomalies } = await readLedger(db, {
    fullCount: true,
  });
  const { entries, ...done } = service.done;
  expect({ requested, consented, refreshed, revoked, anomalies: anomalies.new_principal ?? 0 }).toEqual(done);
  expect(active + expired).toBe(consented - revoked);
  const alive = living.filter(({ expiresAt }) => expiresAt > clock.at).length;
  expect(await keptActiveGrants(db, new Date(clock.at))).toBe(alive);
  expect(entries).toBeGreaterThan(0);
}

async function removedSoFar(harness: ReturnType<typeof startHarness>): Promise<number> {
  const samples = await harness.samples();
  return [...samples].reduce(
    (sum, [series, value]) => (series.startsWith('grantex_retention_removed_total') ? sum + value : sum),
    0,
  );
}

async function sizes({ sql }: TestDatabase): Promise<Map<string, number>> {
  const rows = await sql<{ name: string; bytes: number }[]>`
    select part.relname as name, pg_relation_size(part.oid)::float8 as bytes
    from pg_class owner join pg_class part on part.oid = owner.oid
        or part.oid in (select indexrelid from pg_index where indrelid = owner.oid)
    where owner.relname = any(${TABLES}) and owner.relnamespace = 'public'::regnamespace order by 1`;
  return new Map(rows.map(({ name, bytes }) => [name, bytes]));
}
