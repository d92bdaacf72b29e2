import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createSender, type Sender } from '../../src/webhooks/send-message.ts';
import { newParty } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';
import { deliveriesOnce, ended, hook } from './hooks.ts';
import { type Receiver, startReceiver } from './receiver.ts';

let receiver: Receiver;
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(() => receiver.close());

/** A name server that gives its answers in turn, the last one again and again. */
const nameServer = (...answers: string[][]) => {
  const asked: string[] = [];
  return {
    asked,
    resolve4: async (name: string) => {
      asked.push(name);
      return answers[Math.min(asked.length, answers.length) - 1] ?? [];
    },
    resolve6: async () => Promise.reject(Object.assign(new Error('none'), { code: 'ENODATA' })),
  };
};

const forever = new AbortController().signal;
const message = (url: string) => ({ url, headers: { 'webhook-id': 'evt_1' }, body: '{}' });
const at = (host: string) => receiver.url.replace('127.0.0.1', host);

test.each([
  [200, '2xx'],
  [299, '2xx'],
  [300, '3xx'],
  [399, '3xx'],
  [400, '4xx'],
  [499, '4xx'],
  [500, '5xx'],
  [599, '5xx'],
])('an answer of %i is the outcome %s', async (status, outcome) => {
  receiver.behave((response) => void response.writeHead(status).end());
  const sender = await createSender({ timeoutMs: 10_000, allowPrivate: true, now: Date.now });
  const sent = await sender.send(message(receiver.url), forever);
  await sender.close();
  expect(sent).toEqual({
    outcome,
    statusCode: status,
    error: outcome === '2xx' ? null : `HTTP ${status}`,
    retryAfter: null,
  });
});

describe('the address that is used is the one that was judged', () => {
  let sender: Sender;
  afterEach(() => sender.close());
  const open = async (allowPrivate: boolean, resolver: ReturnType<typeof nameServer>) => {
    sender = await createSender({ timeoutMs: 2000, allowPrivate, now: Date.now, resolver });
  };

  test('a name that leads to loopback: blocked, and no connection is made', async () => {
    // https, or the URL would be refused already; the receiver would see the connection all the same.
    await open(false, nameServer(['127.0.0.1']));
    const url = at('rebound.example.com').replace('http:', 'https:');
    expect(await sender.send(message(url), forever)).toEqual({
      outcome: 'blocked',
      statusCode: null,
      error: 'the address is not allowed',
      retryAfter: null,
    });
    expect(receiver.connections()).toBe(0);
  });

  test.each([['169.254.169.254'], ['10.0.0.1'], ['0.0.0.0'], ['100.64.0.1']])(
    'a name that leads to %s',
    async (address) => {
      await open(false, nameServer([address]));
      expect(await sender.send(message('https://rebound.example.com/'), forever)).toMatchObject({
        outcome: 'blocked',
      });
    },
  );

  test('a name with a public address and a private one is blocked as a whole', async () => {
    await open(false, nameServer(['8.8.8.8', '127.0.0.1']));
    const url = at('both.example.com').replace('http:', 'https:');
    expect(await sender.send(message(url), forever)).toMatchObject({ outcome: 'blocked' });
    expect(receiver.connections()).toBe(0);
  });

  test('each attempt asks once, and is judged by what it was told: rebinding finds no gap', async () => {
    const names = nameServer(['127.0.0.1'], ['127.0.0.1']);
    await open(true, names);
    for (const _ of [1, 2])
      expect(await sender.send(message(at('rebound.example.com')), forever)).toMatchObject({
        outcome: '2xx',
      });
    expect(names.asked).toEqual(['rebound.example.com', 'rebound.example.com']);
    expect(receiver.connections()).toBe(2);
    expect(receiver.received.map(({ headers }) => headers.host)).toEqual([
      new URL(at('rebound.example.com')).host,
      new URL(at('rebound.example.com')).host,
    ]);
  });

  test('a name that the servers do not know is asked of the system; one that nobody knows is refused', async () => {
    const unknown = {
      ...nameServer(),
      resolve4: async () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' })),
    };
    await open(true, unknown);
    expect(await sender.send(message(at('localhost')), forever)).toMatchObject({ outcome: '2xx' });
    const result = await sender.send(message('http://nowhere.invalid:8080/'), forever);
    expect(result).toMatchObject({ outcome: 'refused', statusCode: null });
    expect(result?.error).toMatch(/^the connection failed \((ENOTFOUND|EAI_AGAIN)\)$/);
  });

  test('a name server that does not answer counts in the time limit', async () => {
    const silent = { ...nameServer(), resolve4: () => new Promise<string[]>(() => undefined) };
    sender = await createSender({ timeoutMs: 200, allowPrivate: true, now: Date.now, resolver: silent });
    expect(await sender.send(message('http://slow.example.com/'), forever)).toMatchObject({
      outcome: 'timeout',
    });
  });

  test('an attempt that is given up says so', async () => {
    await open(true, nameServer(['127.0.0.1']));
    receiver.behave(() => undefined);
    const ending = new AbortController();
    const sent = sender.send(message(receiver.url), ending.signal);
    await receiver.until(1);
    ending.abort();
    expect(await sent).toBeNull();
  });

  test('an attempt that would begin after the end is not made', async () => {
    await open(true, nameServer(['127.0.0.1']));
    expect(await sender.send(message(receiver.url), AbortSignal.abort())).toBeNull();
    expect(receiver.connections()).toBe(0);
  });
});

describe('a service that does not allow private hosts', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startService({ env: { WEBHOOK_MAX_ATTEMPTS: '1' } });
  });
  afterAll(() => service.stop());

  test('blocks what is in the database all the same, and says so', async () => {
    const party = await newParty(service);
    const registered = await hook(service, party, 'https://hooks.example.com/', ['grant.created']);
    const { sql } = service.database;
    const urls = [receiver.url, receiver.url.replace('http:', 'https:'), at('localhost')];
    for (const [index, url] of urls.entries()) {
      await sql`update webhooks set url = ${url} where id = ${registered.id}`;
      await party.grant();
      const rows = await deliveriesOnce(service, party, registered, ended, index + 1);
      expect(rows[0]).toMatchObject({
        status: 'failed',
        attempts: 1,
        lastError: 'the address is not allowed',
      });
    }
    await expect
      .poll(async () =>
        (await service.scrape()).value('grantex_webhook_attempts_total', { outcome: 'blocked' }),
      )
      .toBe(urls.length);
    expect(receiver.connections()).toBe(0);
    expect((await service.logged('webhook.delivery_failed', urls.length))[0]).toMatchObject({
      statusCode: null,
    });
  });
});
