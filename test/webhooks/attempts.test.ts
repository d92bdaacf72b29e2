import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { deliveriesOnce, ended, HOOK_ENV, hook } from './hooks.ts';
import { answer, startReceiver } from './receiver.ts';
import { party, receiver, service, withReceiver } from './with-receiver.ts';

/** Long enough for every receiver that means to answer. */
const LIMIT_MS = 3000;

withReceiver({ ...HOOK_ENV, WEBHOOK_MAX_ATTEMPTS: '3', WEBHOOK_TIMEOUT_MS: String(LIMIT_MS) });

const SERIES = {
  delivered: ['deliveries', { status: 'delivered' }],
  failed: ['deliveries', { status: 'failed' }],
  '2xx': ['attempts', { outcome: '2xx' }],
  '3xx': ['attempts', { outcome: '3xx' }],
  '4xx': ['attempts', { outcome: '4xx' }],
  '5xx': ['attempts', { outcome: '5xx' }],
  timeout: ['attempts', { outcome: 'timeout' }],
  refused: ['attempts', { outcome: 'refused' }],
} as const;
const counters = async (): Promise<[string, number][]> => {
  const scrape = await service.scrape();
  return Object.entries(SERIES).map(([name, [family, labels]]) => [
    name,
    scrape.value(`grantex_webhook_${family}_total`, labels) ?? -1,
  ]);
};
/** Exactly these grew since `before`; a count follows its commit at once, but follows it. */
const grew = (before: [string, number][], by: Record<string, number>) =>
  expect
    .poll(async () => {
      const after = await counters();
      const grown = after.map(([name, value], at) => [name, value - (before[at]?.[1] ?? 0)] as const);
      return Object.fromEntries(grown.filter(([, value]) => value !== 0));
    })
    .toEqual(by);

test('500 and then 200: the same event and body again, signed anew, and counted', async () => {
  receiver.behave((response, index) => void response.writeHead(index === 0 ? 500 : 200).end('ok'));
  const registered = await hook(service, party, receiver.url, ['grant.created']);
  const before = await counters();
  await party.grant();
  const [first, second] = await receiver.until(2);
  expect(second?.raw.equals(first?.raw ?? Buffer.alloc(0))).toBe(true);
  expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id']);
  // The pause is about a second, so the time is another one.
  expect(Number(second?.headers['webhook-timestamp'])).toBeGreaterThan(
    Number(first?.headers['webhook-timestamp']),
  );
  expect(second?.headers['webhook-signature']).not.toBe(first?.headers['webhook-signature']);
  expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThan(740);
  const [row] = await deliveriesOnce(service, party, registered, ended);
  expect(row).toMatchObject({ status: 'delivered', attempts: 2, lastError: null });
  await grew(before, { '5xx': 1, '2xx': 1, delivered: 1 });
});

test('500 for ever: failed after the last attempt, with a line for each', async () => {
  receiver.behave(answer(503));
  const registered = await hook(service, party, `${receiver.url}?token=hunter2`, ['grant.created']);
  const before = await counters();
  await party.grant();
  const [row] = await deliveriesOnce(service, party, registered, ended);
  expect(row).toMatchObject({
    status: 'failed',
    attempts: 3,
    maxAttempts: 3,
    lastError: 'HTTP 503',
    deliveredAt: null,
  });
  expect(receiver.received).toHaveLength(3);
  await grew(before, { '5xx': 3, failed: 1 });
  const lines = service.logs.filter((line) => line['webhookId'] === registered.id);
  expect(
    lines.map(({ msg, level, url, statusCode, attempt }) => ({ msg, level, url, statusCode, attempt })),
  ).toEqual(
    [1, 2, 3].map((attempt) => ({
      msg: 'webhook.delivery_failed',
      level: 'error',
      url: receiver.url,
      statusCode: 503,
      attempt,
    })),
  );
  const all = service.stdout.join('\n');
  expect(all).not.toContain('hunter2');
  expect(all).not.toContain(registered.secret);
});

test('410 ends it at once', async () => {
  receiver.behave(answer(410));
  const registered = await hook(service, party, receiver.url, ['grant.created']);
  const before = await counters();
  await party.grant();
  const [row] = await deliveriesOnce(service, party, registered, ended);
  expect(row).toMatchObject({ status: 'failed', attempts: 1, lastError: 'HTTP 410' });
  await grew(before, { '4xx': 1, failed: 1 });
});

test('429 with Retry-After: asked again when it said, not sooner', async () => {
  receiver.behave((response, index) =>
    index === 0 ? response.writeHead(429, { 'retry-after': '3' }).end() : response.writeHead(200).end(),
  );
  const registered = await hook(service, party, receiver.url, ['grant.created']);
  await party.grant();
  const [first, second] = await receiver.until(2);
  expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThan(2900);
  const [row] = await deliveriesOnce(service, party, registered, ended);
  expect(row).toMatchObject({ status: 'delivered', attempts: 2 });
});

test('a redirect is not followed', async () => {
  const elsewhere = await startReceiver();
  receiver.behave(answer(307, { location: elsewhere.url }));
  const registered = await hook(service, party, receiver.url, ['grant.created']);
  const before = await counters();
  await party.grant();
  const [row] = await deliveriesOnce(service, party, registered, ended);
  expect(row).toMatchObject({ status: 'failed', attempts: 3, lastError: 'HTTP 307' });
  expect(elsewhere.connections()).toBe(0);
  await grew(before, { '3xx': 3, failed: 1 });
  await elsewhere.close();
});

test('a receiver that hangs, and one whose answer drips, have the time limit and no more', async () => {
  receiver.behave(() => undefined);
  const dripping = await startReceiver((response) => {
    response.writeHead(200, { 'content-type': 'text/plain' });
    const timer = setInterval(() => response.write('.'), 50);
    response.on('close', () => clearInterval(timer));
  });
  const hanging = await hook(service, party, receiver.url, ['grant.created']);
  const slow = await hook(service, party, dripping.url, ['grant.created']);
  const before = await counters();
  await party.grant();
  for (const one of [hanging, slow]) {
    const [row] = await deliveriesOnce(service, party, one, ended);
    expect(row).toMatchObject({ status: 'failed', attempts: 3, lastError: `no answer within ${LIMIT_MS} ms` });
  }
  await grew(before, { timeout: 6, failed: 2 });
  await dripping.close();
});

test('a receiver that resets the connection, and one that is not there', async () => {
  const resetting = createServer(
    (socket: Socket) => void socket.once('data', () => socket.resetAndDestroy()),
  );
  await once(resetting.listen(0, '127.0.0.1'), 'listening');
  const { port } = resetting.address() as { port: number };
  const reset = await hook(service, party, `http://127.0.0.1:${port}/`, ['grant.created']);
  const gone = await startReceiver();
  await gone.close();
  const absent = await hook(service, party, gone.url, ['grant.created']);
  const before = await counters();
  await party.grant();
  const [row] = await deliveriesOnce(service, party, reset, ended);
  expect(row).toMatchObject({ status: 'failed', attempts: 3 });
  expect(row?.lastError).toMatch(/^the connection failed \((ECONNRESET|UND_ERR_SOCKET)\)$/);
  const [other] = await deliveriesOnce(service, party, absent, ended);
  expect(other).toMatchObject({
    status: 'failed',
    attempts: 3,
    lastError: 'the connection failed (ECONNREFUSED)',
  });
  await grew(before, { refused: 6, failed: 2 });
  resetting.close();
});

test('of a huge answer 64 KiB are read, and its status counts', async () => {
  let written = 0;
  receiver.behave((response) => {
    response.writeHead(200);
    const more = () => {
      while (!response.destroyed) {
        written += 16_384;
        if (!response.write(Buffer.alloc(16_384))) break;
      }
    };
    response.on('drain', more);
    more();
  });
  const registered = await hook(service, party, receiver.url, ['grant.created']);
  await party.grant();
  const [row] = await deliveriesOnce(service, party, registered, ended);
  expect(row).toMatchObject({ status: 'delivered', attempts: 1 });
  // What the sockets between the two hold is written but not read.
  expect(written).toBeLessThan(16 * 1024 * 1024);
  await expect.poll(() => receiver.open()).toBe(0);
});
