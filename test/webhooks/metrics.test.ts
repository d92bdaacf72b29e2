import { expect, test } from 'vitest';
import { deliveriesOnce, ended, HOOK_ENV, hook } from './hooks.ts';
import { answer } from './receiver.ts';
import { party, receiver, service, withReceiver } from './with-receiver.ts';

/** A gauge's reading is at most this old. */
const CACHED_SECONDS = 5;
const HOUR_SECONDS = 3600;

// A receiver hangs for as long as the test wants it to.
withReceiver({ ...HOOK_ENV, WEBHOOK_TIMEOUT_MS: '60000' });

test('grantex_webhook_oldest_pending_seconds is how long the oldest one has been due while a receiver hangs, then 0', async () => {
  const gauge = async () => (await service.scrape()).value('grantex_webhook_oldest_pending_seconds') ?? -1;
  const waiting: (() => void)[] = [];
  receiver.behave((response) => void waiting.push(() => response.writeHead(204).end()));
  const registered = await hook(service, party, receiver.url, ['grant.created']);
  await expect.poll(gauge).toBe(0);
  await party.grant();
  await receiver.until(1);
  const { sql } = service.database;
  const [row] = await sql<{ id: string; createdAt: Date }[]>`
    select id, created_at as "createdAt" from webhook_deliveries where webhook_id = ${registered.id}`;
  const age = () => (Date.now() - Number(row?.createdAt)) / 1000;
  await expect.poll(gauge).toBeGreaterThan(0);
  const [before, value, after] = [age(), await gauge(), age()];
  expect(value).toBeLessThanOrEqual(after);
  expect(value).toBeGreaterThan(before - CACHED_SECONDS - 2);

  await sql`update webhook_deliveries set created_at = created_at - interval '1 hour' where id = ${row?.id ?? ''}`;
  await expect.poll(gauge).toBeGreaterThan(HOUR_SECONDS);
  expect(await gauge()).toBeLessThanOrEqual(HOUR_SECONDS + age());

  for (const end of waiting) end();
  await deliveriesOnce(service, party, registered, ended);
  await expect.poll(gauge).toBe(0);
});

test('a receiver that asks for a day does not make it grow, a delivery that is due and that nobody takes does', async () => {
  const gauge = async () => (await service.scrape()).value('grantex_webhook_oldest_pending_seconds') ?? -1;
  const waiting: (() => void)[] = [];
  receiver.behave((response) => {
    waiting.push(() => void response.writeHead(503, { 'retry-after': '86400' }).end());
  });
  const { id } = await hook(service, party, receiver.url, ['grant.created']);
  await party.grant();
  await receiver.until(1);
  const { sql } = service.database;
  await sql`update webhook_deliveries set created_at = created_at - interval '1 hour' where webhook_id = ${id}`;
  await expect.poll(gauge).toBeGreaterThan(HOUR_SECONDS);

  const refusedAfter = Date.now();
  for (const refuse of waiting) refuse();
  await expect.poll(gauge).toBe(0);
  const [row] = await sql<{ status: string; attempts: number; next: Date; planned: Date }[]>`
    select status, attempts, next_attempt_at as next, start_after as planned
    from webhook_deliveries delivery join jobs.job on job.data->>'deliveryId' = delivery.id where webhook_id = ${id}`;
  expect(row).toMatchObject({ status: 'pending', attempts: 1 });
  const DAY_MS = 86_400_000;
  expect(Number(row?.next)).toBeGreaterThanOrEqual(refusedAfter + DAY_MS);
  // The job's time is that of the database, and its transaction began a moment later.
  expect(Math.abs(Number(row?.planned) - Number(row?.next))).toBeLessThan(10_000);

  // Its job is for tomorrow, so nobody takes it.
  const since = Date.now() - 120_000;
  await sql`update webhook_deliveries set next_attempt_at = ${new Date(since)} where webhook_id = ${id}`;
  await sql`update webhooks set attempted_at = ${new Date(since)} where id = ${id}`;
  await expect.poll(gauge).toBeGreaterThanOrEqual(120);
  expect(await gauge()).toBeLessThanOrEqual((Date.now() - since) / 1000);
  await sql`delete from webhooks where id = ${id}`;
  await expect.poll(gauge).toBe(0);
});

test('a slow receiver with a backlog of an hour does not make it grow as long as its attempts end', async () => {
  const gauge = async () => (await service.scrape()).value('grantex_webhook_oldest_pending_seconds') ?? -1;
  const waiting: (() => void)[] = [];
  receiver.behave((response) => void waiting.push(() => response.writeHead(204).end()));
  const { id } = await hook(service, party, receiver.url, ['grant.created', 'token.issued']);
  for (let n = 0; n < 8; n++) await party.grant();
  // Ten at a time: six have to wait for their receiver.
  await receiver.until(10);
  const { sql } = service.database;
  await sql`update webhook_deliveries set created_at = created_at - interval '1 hour' where webhook_id = ${id}`;
  await expect.poll(gauge).toBeGreaterThan(HOUR_SECONDS);
  waiting.shift()?.();
  await receiver.until(11);
  const [row] = await sql`select count(*)::int as due from webhook_deliveries
    where webhook_id = ${id} and status = 'pending' and created_at < now() - interval '1 hour'`;
  expect(row).toEqual({ due: 15 });
  await expect.poll(gauge).toBeLessThan(HOUR_SECONDS / 2);
  expect(await gauge()).toBeGreaterThan(0);
  receiver.behave(answer(204));
  for (const end of waiting) end();
  await expect.poll(gauge).toBe(0);
});

test('a queue that nobody works on makes it grow, also for a webhook that had attempts before', async () => {
  const gauge = async () => (await service.scrape()).value('grantex_webhook_oldest_pending_seconds') ?? -1;
  receiver.behave(answer(204));
  const registered = await hook(service, party, receiver.url, ['grant.created']);
  await party.grant();
  await deliveriesOnce(service, party, registered, ended, 1);
  const { sql } = service.database;
  // The workers go on looking, and every look fails.
  await sql`alter schema jobs rename to jobs_elsewhere`;
  try {
    await party.grant();
    await sql`update webhook_deliveries set created_at = created_at - interval '1 hour' where status = 'pending'`;
    await sql`update webhooks set attempted_at = attempted_at - interval '30 minutes' where id = ${registered.id}`;
    await expect.poll(gauge).toBeGreaterThanOrEqual(HOUR_SECONDS / 2);
    expect(await gauge()).toBeLessThan(HOUR_SECONDS);
  } finally {
    await sql`alter schema jobs_elsewhere rename to jobs`;
  }
  await deliveriesOnce(service, party, registered, ended, 2);
  await expect.poll(gauge).toBe(0);
});

test('grantex_agent_webhook_deliveries_total: each end counts for the agent of the event', async () => {
  const other = await party.newAgent();
  receiver.behave((response, index, request) =>
    answer(request.body.data.agentId === other ? 410 : 204)(response, index, request),
  );
  const registered = await hook(service, party, receiver.url, ['grant.created', 'token.issued']);
  await party.grant();
  await party.grant();
  await party.grant({ agentId: other });
  await deliveriesOnce(service, party, registered, ended, 6);
  const counted = async () => {
    const scrape = await service.scrape();
    const of = (agent_id: string, status: string) =>
      scrape.value('grantex_agent_webhook_deliveries_total', { agent_id, status }) ?? 0;
    return [party.agentId, other].map((id) => [of(id, 'delivered'), of(id, 'failed')]);
  };
  await expect.poll(counted).toEqual([
    [4, 0],
    [0, 2],
  ]);
});
