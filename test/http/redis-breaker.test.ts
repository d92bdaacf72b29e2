import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { ReplyError } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createRedisBreaker, type RedisBreaker } from '../../src/http/redis-breaker.ts';
import { inRequest } from '../../src/request-scope.ts';
import { startHarness } from '../telemetry/harness.ts';

let harness: ReturnType<typeof startHarness>;
let clock: number;
let opened: number;
/** What Redis does with a probe. */
let probe: () => Promise<unknown>;
let breaker: RedisBreaker;
beforeEach(() => {
  harness = startHarness();
  clock = 1000;
  opened = 0;
  probe = async () => 'OK';
  breaker = createRedisBreaker({
    probe: () => probe(),
    onOpen: () => {
      opened += 1;
    },
    telemetry: harness.telemetry.redis,
    now: () => clock,
  });
});
afterEach(() => harness.stop());

const answer = async () => 7;
const fails = (error: Error) => () => Promise.reject(error);
const timesOut = fails(new Error('Command timed out'));
const lines = () => harness.lines().map(({ timestamp: _, ...line }) => line);
async function calls(): Promise<Record<string, number>> {
  const samples = [...(await harness.samples())].flatMap(([series, value]) => {
    const outcome = /^redis_client_operation_duration_seconds_count\{outcome="(\w+)"\}$/.exec(series)?.[1];
    return outcome ? [[outcome, value] as const] : [];
  });
  return Object.fromEntries(samples);
}

test('it asks nothing before Redis has answered a probe, and says nothing of that', async () => {
  let asked = 0;
  const call = async () => ++asked;
  expect(await breaker.ask(call)).toBeUndefined();
  expect(asked).toBe(0);
  clock += 300;
  expect(breaker.awayMs()).toBe(300);
  expect(await breaker.probe()).toBe(true);
  expect(breaker.awayMs()).toBe(0);
  expect(await breaker.ask(call)).toBe(1);
  expect(lines()).toEqual([]);
  expect(await calls()).toEqual({ ok: 2 });
});

test('it opens at the third failure in a row, and closes when a probe is answered; each is told once', async () => {
  await breaker.probe();
  for (const call of [timesOut, timesOut, answer, timesOut, timesOut]) await breaker.ask(call);
  expect([opened, lines()]).toEqual([0, []]);
  await inRequest('req_1', () => breaker.ask(timesOut));
  const lost = { level: 'error', msg: 'redis.connection_error', error: 'ETIMEDOUT' };
  expect([opened, lines()]).toEqual([1, [lost]]);

  let asked = 0;
  for (let call = 0; call < 100; call++) expect(await breaker.ask(async () => ++asked)).toBeUndefined();
  probe = timesOut;
  expect([await breaker.probe(), await breaker.probe()]).toEqual([false, false]);
  expect([asked, opened, lines()]).toEqual([0, 1, [lost]]);
  expect(await calls()).toEqual({ ok: 2, timeout: 7 });

  probe = answer;
  clock += 61_234.4;
  expect(await breaker.probe()).toBe(true);
  // The three that opened it were counted in memory, too.
  const restored = { level: 'info', msg: 'redis.connection_restored', seconds: 61.234, countedInMemory: 103 };
  expect(lines()).toEqual([lost, restored]);
  expect(await breaker.ask(async () => ++asked)).toBe(1);

  for (let call = 0; call < 3; call++) await breaker.ask(timesOut);
  clock += 1000;
  await breaker.probe();
  expect(lines().slice(2)).toEqual([lost, { ...restored, seconds: 1, countedInMemory: 3 }]);
});

test('64 calls that are under way when Redis hangs are one outage', async () => {
  await breaker.probe();
  const rejections: (() => void)[] = [];
  const hangs = () =>
    new Promise((_, reject) => rejections.push(() => reject(new Error('Command timed out'))));
  const asked = Promise.all(Array.from({ length: 64 }, () => breaker.ask(hangs)));
  for (const reject of rejections) reject();
  expect(new Set(await asked)).toEqual(new Set([undefined]));
  expect(opened).toBe(1);
  await breaker.probe();
  expect(lines()).toEqual([
    { level: 'error', msg: 'redis.connection_error', error: 'ETIMEDOUT' },
    { level: 'info', msg: 'redis.connection_restored', seconds: 0, countedInMemory: 64 },
  ]);
  expect(await calls()).toEqual({ ok: 2, timeout: 64 });
});

test('an answer that comes while Redis is thought away still counts', async () => {
  await breaker.probe();
  let settle: ((value: number) => void) | undefined;
  const late = breaker.ask(
    () =>
      new Promise<number>((resolve) => {
        settle = resolve;
      }),
  );
  breaker.failed(new Error('Connection is closed.'));
  settle?.(5);
  expect(await late).toBe(5);
  expect(await breaker.ask(answer)).toBeUndefined();
});

test('a connection that is back at once is no outage, and is asked again only then', async () => {
  await breaker.probe();
  breaker.interrupted();
  expect(await breaker.ask(answer)).toBeUndefined();
  await breaker.probe();
  expect(await breaker.ask(answer)).toBe(7);
  expect(lines()).toEqual([]);
});

test('one that is closed again and again is an outage; a probe says nothing of a connection that is not there', async () => {
  breaker.interrupted();
  probe = fails(new Error("Stream isn't writeable and enableOfflineQueue options is false"));
  await breaker.probe();
  expect([lines(), await calls()]).toEqual([[], { error: 1 }]);
  breaker.interrupted();
  expect(lines()).toMatchObject([{ msg: 'redis.connection_error', error: 'CONNECTION_CLOSED' }]);
});

test('a call that is not answered is given up; one whose answer has come is not, however busy the process was', async () => {
  await breaker.probe();
  expect(await breaker.ask(() => new Promise(() => undefined))).toBeUndefined();
  expect(await calls()).toEqual({ ok: 1, timeout: 1 });
  const server = createServer((socket) => socket.end('7')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const overNetwork = async () => {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    // Longer than a call may take, and nothing is read meanwhile.
    const until = performance.now() + 400;
    while (performance.now() < until);
    const [chunk] = await once(socket, 'data');
    return String(chunk);
  };
  expect(await breaker.ask(overNetwork)).toBe('7');
  server.close();
});

test('nothing that fails after the end is told', async () => {
  await breaker.probe();
  breaker.close();
  breaker.failed(Object.assign(new Error('reset'), { code: 'ECONNRESET' }));
  probe = timesOut;
  await breaker.probe();
  expect(lines()).toEqual([]);
});

const network = Object.assign(new Error('connect ECONNREFUSED 10.0.0.1:6379'), { code: 'ECONNREFUSED' });
test.for([
  [network, 'ECONNREFUSED'],
  [new Error('Command timed out'), 'ETIMEDOUT'],
  [new Error('Connection is closed.'), 'CONNECTION_CLOSED'],
  [new Error("Stream isn't writeable and enableOfflineQueue options is false"), 'CONNECTION_CLOSED'],
  [new Error('All sentinels are unreachable. Retrying from scratch after 100ms.'), 'SENTINELS_UNREACHABLE'],
  [new ReplyError("READONLY You can't write against a read only replica."), 'READONLY'],
  [new ReplyError("NOPERM User hunter2 has no permissions to run the 'eval' command"), 'NOPERM'],
  [new ReplyError('hunter2'), 'ReplyError'],
  [new RangeError('hunter2'), 'RangeError'],
] as const)('%s is told as %s', ([error, code]) => {
  breaker.failed(error);
  expect(lines()).toEqual([{ level: 'error', msg: 'redis.connection_error', error: code }]);
});
