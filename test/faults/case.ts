import { expect, onTestFinished } from 'vitest';
import { BACKGROUND_LIMITS } from '../../src/db/limits.ts';
import { newParty } from '../support/flow.ts';
import { expectReconciledBut } from '../support/reconcile.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';
import { Client } from './client.ts';
import type { Fault, Lasting, Logged, Scene } from './fault.ts';
import {
  expectAnswersStored,
  expectCountersExplained,
  expectNothingHalfMade,
  expectProperAnswers,
  expectRefusedUndone,
} from './ledger.ts';
import { makeNameTable, withNames } from './name-table.ts';
import { isGood, isUnknown, type Shot, startTraffic, type Traffic } from './traffic.ts';
import type { Route } from './ways.ts';

const SECOND = 1_000;
const RECOVERY_MS = 5 * SECOND;
/** The background waits this long for an answer. Only then does it give up a connection whose end got lost. */
const GAUGE_MS = BACKGROUND_LIMITS.statementMs + RECOVERY_MS;
const POOL = 4;
/** More than the connections of the pool, so that each is used. */
const CALLERS = 6;
/** So many successes in a row, over all callers, prove that the service works again. */
const GOOD_AGAIN = 60;
const SMALL_DISK_MEGABYTES = 32;
/** A revocation with unknown outcome may have revoked a parent and its child. */
const ROWS_OF_A_REQUEST = 2;
const HELD_BACK_MS = 2_000;

/** The result of one case. */
export interface Result {
  readonly way: string;
  readonly fault: string;
  readonly requests: number;
  readonly 503: number;
  readonly 500: number;
  readonly 'slowest ms': number;
  readonly 'recovered after ms': number;
}

/** Runs load with a fault and the recovery, then checks the guarantees that always hold. */
export async function runCase(route: Route, fault: Fault): Promise<Result> {
  const undo = undoAtTheEnd();
  const { scene, pid } = await prepare(route, fault, undo);
  const { service, traffic } = scene;
  const health = async () => (await service.request('GET', '/health')).status;
  await waitFor(() => traffic.shots.filter(isGood).length >= GOOD_AGAIN || undefined, 20 * SECOND);
  expect(await health()).toBe(200);
  await expectExactGauge(route, [service]);
  if (fault.quiet) await traffic.stop();

  const begun = performance.now();
  const { end, proof, after } = lasting(await fault.begin(scene), undo);
  const failures = () => traffic.shots.filter((shot) => !isGood(shot) && shot.reply.begun > begun).length;
  if (fault.callers === 'refused') {
    expect(await waitFor(async () => ((await health()) === 503 ? 503 : undefined))).toBe(503);
    await waitFor(() => failures() >= CALLERS || undefined, 10 * SECOND);
  }
  const until = begun + (fault.lastsMs ?? 0);
  await waitFor(() => performance.now() >= until || undefined, 60 * SECOND);
  await end();
  const back = performance.now();

  const second = fault.quiet ? traffic.again() : traffic;
  await waitFor(async () => (await health()) === 200 || undefined, RECOVERY_MS);
  await waitFor(() => goodAtTheEnd(second.shots, back) >= GOOD_AGAIN || undefined, 20 * SECOND);
  await second.stop();

  const shots = fault.quiet ? [...traffic.shots, ...second.shots] : traffic.shots;
  const bad = shots.filter((shot) => !isGood(shot));
  // The time of sending counts, because a busy machine may take long to answer.
  expect(bad.filter(({ reply }) => reply.begun > back + RECOVERY_MS)).toEqual([]);
  if (fault.callers === 'none') expect(bad.map(describe)).toEqual([]);
  const known = fault.unknown === 'behind a pooler' ? !route.way.pooled : !fault.unknown;
  if (known) expect(bad.filter(isUnknown).filter(mustBeKnown(route)).map(describe)).toEqual([]);
  await expectSound(scene, shots);
  expectLogged(service, fault.logged(route.way));
  await expectExactGauge(route, [service]);
  if (fault.ended) {
    const ended = (await service.scrape()).value('grantex_statements_ended_total', { by: fault.ended });
    expect(ended).toBeGreaterThan(0);
  }
  await proof();
  await expectAlive(scene, pid);
  await after();
  const status = (wanted: number) => bad.filter(({ reply }) => reply.status === wanted).length;
  const recovered = Math.max(back, ...bad.filter(isAfter(back)).map(({ reply }) => reply.ended)) - back;
  return {
    way: route.way.name,
    fault: fault.name,
    requests: shots.length,
    503: status(503),
    500: status(500),
    'slowest ms': Math.round(Math.max(...shots.map(({ reply }) => reply.ms))),
    'recovered after ms': Math.round(recovered),
  };
}

type Undo = (step: () => Promise<unknown>) => void;

/**
 * Runs its steps at the end of the test in any case, the latest first, so that the next test finds everything restored.
 */
function undoAtTheEnd(): Undo {
  const steps: (() => Promise<unknown>)[] = [];
  onTestFinished(async () => {
    const failures: unknown[] = [];
    for (const step of steps.reverse()) await step().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw new AggregateError(failures, 'not everything was cleared away');
  });
  return (step) => steps.push(step);
}

/** Makes sure that the fault ends exactly once: when the case ends it, or at the end of the test. */
function lasting({ end, proof, after }: Lasting, undo: Undo): Required<Lasting> {
  let ended: Promise<void> | undefined;
  let cleared: Promise<void> | undefined;
  const own = {
    end() {
      ended ??= Promise.resolve(end());
      return ended;
    },
    proof: () => Promise.resolve(proof?.()),
    after() {
      cleared ??= Promise.resolve(after?.());
      return cleared;
    },
  };
  undo(own.after);
  undo(async () => own.end());
  return own;
}

/** A pooler may hold a statement back until the time limit of its request. Only then may the outcome be unknown. */
const mustBeKnown =
  ({ way }: Route) =>
  ({ reply }: Shot) =>
    !way.pooled || reply.ms < HELD_BACK_MS;
const isAfter = (moment: number) => (shot: Shot) => shot.reply.ended > moment;
const describe = ({ kind, reply: { status, body, error } }: Shot) =>
  `${kind} ${status} ${body?.code ?? error}`;

/** The number of successes after the last failure that began after `since`. */
function goodAtTheEnd(shots: readonly Shot[], since: number): number {
  const last = shots.findLastIndex((shot) => !isGood(shot));
  return shots.slice(last + 1).filter((shot) => shot.reply.begun > since).length;
}

interface Prepared {
  readonly scene: Scene & { readonly traffic: Traffic & { again(): Traffic } };
  readonly pid: number | undefined;
}

async function prepare(route: Route, fault: Fault, undo: Undo): Promise<Prepared> {
  const { server } = route;
  await route.mend();
  const small = fault.onSmallDisk ? await server.smallDisk(SMALL_DISK_MEGABYTES) : undefined;
  if (small) undo(small.remove);
  const names = fault.byName ? await makeNameTable('127.0.0.1') : undefined;
  if (names) undo(names.remove);
  const database = await server.newDatabase(small?.tablespace);
  undo(() => server.drop(database));
  const service = await startService({
    database: {
      url: route.url(database, names && 'localhost'),
      get sql() {
        return server.sqlOf(database);
      },
      drop: () => server.drop(database),
    },
    env: { DATABASE_POOL_MAX: String(POOL) },
    ...(names && { within: (command) => withNames(names, command) }),
  });
  const { pid } = service.process;
  undo(async () => service.process.kill('SIGKILL'));
  const party = await newParty(service, 'sandbox');
  const start = (name: string) => startTraffic({ url: service.url, ...party, callers: CALLERS, name });
  const traffic = Object.assign(start('caller'), { again: () => start('again') });
  undo(() => traffic.stop());
  return { scene: { route, service, database, traffic, disk: small?.disk, names }, pid };
}

/** The same process ran from the beginning, logged no fatal error, and ends in order. */
async function expectAlive({ service }: Scene, pid: number | undefined): Promise<void> {
  expect([service.process.pid, service.process.exitCode]).toEqual([pid, null]);
  expect(service.logs.filter(({ level }) => level === 'fatal')).toEqual([]);
  expect(await service.stop()).toBe(0);
}

/** The answers to callers are true, no work is incomplete, and counters and rows agree. */
async function expectSound({ service }: Scene, shots: readonly Shot[]): Promise<void> {
  const { sql } = service.database;
  expectProperAnswers(shots);
  await expectAnswersStored(sql, shots);
  await expectNothingHalfMade(sql);
  await expectCountersExplained(sql, shots, await service.scrape());
  await expectReconciledBut(ROWS_OF_A_REQUEST * shots.filter(isUnknown).length, service);
  const client = new Client(service.url);
  await expectRefusedUndone(sql, shots, async ({ sending }) => (await client.send(sending)).status);
  client.close();
}

/** The service reports as many connections as the other side has. All of them are encrypted if the way uses TLS. */
export async function expectExactGauge(route: Route, services: readonly TestService[]): Promise<void> {
  const database = new URL(services[0]?.database.url ?? '').pathname.slice(1);
  const look = async () => {
    const { all, encrypted } = await route.connections(database);
    const scrapes = await Promise.all(services.map((service) => service.scrape()));
    const reported = scrapes.reduce((sum, scrape) => sum + scrape.sum('db_client_connection_count'), 0);
    return { reported, there: all, encrypted };
  };
  const settled = async () => {
    const seen = await look();
    return seen.reported === seen.there ? seen : undefined;
  };
  const seen = await waitFor(settled, GAUGE_MS).catch(look);
  expect(seen).toEqual({ ...seen, reported: seen.there, encrypted: route.way.tls ? seen.there : 0 });
}

function expectLogged(service: TestService, { one, others = [] }: Logged): void {
  const said = service.logs
    .filter(({ msg }) => msg === 'database.connection_error')
    .map(({ error }) => error);
  // On a busy machine, any connection may take too long to open.
  const allowed = [...one, ...others, 'ETIMEDOUT'];
  expect(said.filter((error) => !allowed.includes(String(error)))).toEqual([]);
  if (one.length > 0)
    expect(one.filter((error) => said.includes(error)).length, `one of ${one} in ${said}`).toBeGreaterThan(0);
}
