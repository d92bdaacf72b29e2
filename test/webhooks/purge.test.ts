import { expect, onTestFinished, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';
import { HOOK_ENV, hook } from './hooks.ts';
import { startReceiver } from './receiver.ts';

/** More than are removed by one statement. */
const OLD_DELIVERED = 2500;
const OLD_FAILED = 3;

/** Deliveries as an earlier run left them behind. */
const insertOld =
  ({ sql }: TestDatabase, webhookId: string, agentId: string) =>
  (prefix: string, status: string, age: string, count: number) =>
    sql`
    insert into webhook_deliveries (id, webhook_id, event_id, event_type, agent_id, data, status, max_attempts, created_at,
      queued)
    select ${prefix}::text || n, ${webhookId}::text, 'evt_' || ${prefix}::text || n, 'grant.created', ${agentId}::text,
      '{}'::json, ${status}::text, 5,
      now() - ${age}::interval, true
    from generate_series(1, ${count}::int) n`;

test('deliveries that ended go after WEBHOOK_RETENTION_DAYS, and their number stays; pending ones do not go', async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const start = async (): Promise<TestService> => {
    const service = await startService({ database, env: { ...HOOK_ENV, WEBHOOK_RETENTION_DAYS: '2' } });
    onTestFinished(() => void service.process.kill('SIGKILL'));
    return service;
  };
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  const first = await start();
  const party = await newParty(first);
  const { id } = await hook(first, party, receiver.url);
  expect(await first.stop()).toBe(0);

  const { sql } = database;
  const insert = insertOld(database, id, party.agentId);
  await insert('delivered', 'delivered', '49 hours', OLD_DELIVERED);
  await insert('failed', 'failed', '49 hours', OLD_FAILED);
  await insert('recent', 'delivered', '47 hours', 2);
  // Of this one a job exists somewhere, as far as the workers know.
  await insert('pending', 'pending', '49 hours', 1);

  // At its start, and from then on every hour.
  const second = await start();
  const kept = await waitFor(async () => {
    const rows = await sql<{ id: string }[]>`select id from webhook_deliveries order by id`;
    return rows.length <= 3 ? rows.map((row) => row.id) : undefined;
  });
  expect(kept).toEqual(['pending1', 'recent1', 'recent2']);
  expect([...(await sql`select status, total::int from removed_deliveries order by status`)]).toEqual([
    { status: 'delivered', total: OLD_DELIVERED },
    { status: 'failed', total: OLD_FAILED },
  ]);
  expect(await second.stop()).toBe(0);
});

test('a delivery does not wait until all that is old has gone', async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  const first = await startService({ database, env: HOOK_ENV });
  const party = await newParty(first);
  const { id } = await hook(first, party, receiver.url);
  expect(await first.stop()).toBe(0);

  const { sql } = database;
  await insertOld(database, id, party.agentId)('old', 'delivered', '31 days', 6000);
  // Each statement of the purge takes a while.
  await sql.unsafe(`create function dawdle() returns trigger language plpgsql as
    $$ begin perform pg_sleep(0.4); return null; end $$;
    create trigger dawdle after insert on removed_deliveries for each statement execute function dawdle()`);
  const service = await startService({ database, env: HOOK_ENV });
  onTestFinished(() => void service.process.kill('SIGKILL'));
  const another = await newParty(service);
  await hook(service, another, receiver.url);
  await another.grant();
  await receiver.until(1);
  const [left] = await sql`select count(*)::int as old from webhook_deliveries where id like 'old%'`;
  expect(left?.['old']).toBeGreaterThan(0);
  expect(await service.stop()).toBe(0);
});
