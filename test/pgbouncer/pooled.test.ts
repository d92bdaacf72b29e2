import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { assertMigrated, migrate } from '../../src/db/migrate.ts';
import { Client } from '../faults/client.ts';
import { expectNothingHalfMade, expectProperAnswers, expectRefusedUndone } from '../faults/ledger.ts';
import { isGood, startTraffic } from '../faults/traffic.ts';
import { printTable } from '../load/table.ts';
import { Cable } from '../support/cable.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { withDatabaseName } from '../support/database-url.ts';
import { newParty } from '../support/flow.ts';
import { SERVER_CONNECTIONS, startPgBouncer } from '../support/pgbouncer.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';

const SECOND = 1_000;
const APPLICATION = 'through_the_pooler';

let database: TestDatabase;
let service: TestService;
beforeAll(async () => {
  database = await createTestDatabase();
  const env = { DATABASE_URL: `${database.url}?application_name=${APPLICATION}` };
  service = await startService({ database, env });
});
afterAll(async () => {
  await service.stop();
  await database.drop();
});

/** Whoever needs what `statement` locks waits until this is released. */
async function lock({ sql }: TestDatabase, statement: string): Promise<() => Promise<void>> {
  const [locked, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const locking = sql.begin(async (tx) => {
    await tx.unsafe(statement);
    locked.resolve();
    await released.promise;
  });
  await locked.promise;
  return async () => {
    released.resolve();
    await locking;
  };
}

test('many requests share the few connections that there are to the server', async () => {
  const party = await newParty(service);
  let most = 0;
  let working = true;
  const watch = async () => {
    while (working) {
      const [row] = await database.sql<{ backends: number }[]>`
        select count(*)::int as backends from pg_stat_activity where application_name = ${APPLICATION}`;
      most = Math.max(most, row?.backends ?? 0);
    }
  };
  const watching = watch();
  await Promise.all(Array.from({ length: 60 }, (_, n) => party.grant({ principalId: `user_${n}` })));
  working = false;
  await watching;
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(SERVER_CONNECTIONS);
  // More connections than that are open, and each believes that the server is its own.
  const scrape = await service.scrape();
  const open = scrape
    .labelSets('db_client_connection_count')
    .reduce((sum, labels) => sum + (scrape.value('db_client_connection_count', labels) ?? 0), 0);
  expect(open).toBeGreaterThan(SERVER_CONNECTIONS);
});

test('more replicas than it has connections migrate an empty database at once, and none keeps the last one from another', async () => {
  const own = await createTestDatabase();
  await own.sql.unsafe('drop schema jobs cascade; drop schema public cascade; create schema public');
  const runs = await Promise.all(Array.from({ length: 2 * SERVER_CONNECTIONS }, () => migrate(own.url)));
  expect(runs.filter(({ applied }) => applied.length > 0)).toHaveLength(1);
  await assertMigrated(own.url);
  await own.drop();
});

test('a statement that waits for a lock keeps its connection, though nobody can tell which backend works for it', async () => {
  const party = await newParty(service);
  const release = await lock(database, 'lock table anomalies in share row exclusive mode');
  await party.grant();
  await waitFor(async () => {
    const [row] = await database.sql`select 1 from pg_stat_activity where wait_event_type = 'Lock'
      and datname = current_database() and clock_timestamp() - query_start > interval '3.5 s'`;
    return row;
  }, 20 * SECOND);
  await release();
  await service.logged('anomaly.detected');
  expect(service.logs.filter(({ msg }) => /connection_error|scan_failed/.test(msg))).toEqual([]);
});

test('the connections behind it are ended under load: proper answers, nothing half made, and 503 means not done', async () => {
  const party = await newParty(service, 'sandbox');
  const traffic = startTraffic({ url: service.url, ...party });
  const good = () => traffic.shots.filter(isGood).length;
  await waitFor(() => good() >= 100 || undefined, 20 * SECOND);
  for (let round = 0; round < 5; round++) {
    const target = good() + 20;
    await database.sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = ${APPLICATION}`;
    await waitFor(() => good() >= target || undefined, 20 * SECOND);
  }
  await traffic.stop();
  const { shots } = traffic;
  const status = (wanted: number) => shots.filter(({ reply }) => reply.status === wanted).length;
  printTable('connections behind the PgBouncer ended', [
    { requests: shots.length, good: good(), '500': status(500), '503': status(503) },
  ]);
  expectProperAnswers(shots);
  await expectNothingHalfMade(database.sql);
  const client = new Client(service.url);
  await expectRefusedUndone(database.sql, shots, async ({ sending }) => (await client.send(sending)).status);
  client.close();
  expect((await service.request('GET', '/health')).status).toBe(200);
});

test('committed, and the answer lost behind the PgBouncer: 500, for nobody knows, and never 503', async () => {
  const own = await createTestDatabase();
  onTestFinished(() => own.drop());
  const direct = new URL(inject('databaseUrl'));
  const cable = new Cable(Number(direct.port));
  direct.port = String(await cable.open());
  onTestFinished(() => cable.close());
  const pgbouncer = await startPgBouncer(direct.href);
  onTestFinished(() => pgbouncer.stop());
  const url = withDatabaseName(pgbouncer.through(direct.href), new URL(own.url).pathname.slice(1));
  const replica = await startService({ database: own, env: { DATABASE_URL: url } });
  onTestFinished(() => void replica.process.kill('SIGKILL'));
  const party = await newParty(replica, 'sandbox');
  const { code } = await party.authorize();
  const release = await lock(own, 'select from authorization_requests for update');
  const answer = replica.request('POST', '/v1/token', {
    key: party.key,
    body: { code, agentId: party.agentId },
  });
  await waitFor(async () => {
    const [waiting] = await own.sql`select 1 from pg_stat_activity
        where wait_event_type = 'Lock' and datname = current_database()`;
    return waiting;
  });
  await cable.set('mute');
  await release();
  await waitFor(async () => (await own.sql`select 1 from grants`)[0]);
  await cable.set('cut');
  expect((await answer).status).toBe(500);
  await cable.set('through');
  await waitFor(async () => ((await replica.request('GET', '/health')).status === 200 ? true : undefined));
  expect((await party.grant()).scopes).toEqual(['calendar:read']);
  expect(await replica.stop()).toBe(0);
});
