import { context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { inRequest, requestScope } from '../../src/request-scope.ts';
import {
  createFailureLines,
  type FailureLine,
  type FailureLines,
} from '../../src/telemetry/failure-lines.ts';

let written: FailureLine[];
let lines: FailureLines;
beforeEach(() => {
  vi.useFakeTimers();
  written = [];
  lines = createFailureLines((line) => written.push(line), { maxNetworks: 3 });
});
afterEach(() => {
  lines.flush();
  vi.useRealTimers();
});

const failure = (ip: string, reason: 'unknown' | 'missing' = 'unknown') =>
  ({ credential: 'api_key', reason, ip, route: '/v1/me' }) as const;
const tell = (ip: string, reason?: 'unknown' | 'missing') => lines.tell(ip, failure(ip, reason));
const told = () => written.map(({ ip, suppressed }) => [ip, suppressed]);
/** Every failure has a line or is counted in one. */
const sum = () => written.reduce((total, { suppressed }) => total + suppressed + 1, 0);

test('the first of an address is told at once, the next within ten seconds by one line that comes by itself', () => {
  tell('a');
  tell('a');
  tell('a', 'missing');
  expect(written).toEqual([{ ...failure('a'), suppressed: 0 }]);
  vi.advanceTimersByTime(9_999);
  expect(written).toHaveLength(1);
  vi.advanceTimersByTime(1);
  expect(written.slice(1)).toEqual([{ ...failure('a', 'missing'), suppressed: 1 }]);
  vi.advanceTimersByTime(60_000);
  expect(written).toHaveLength(2);
  expect(vi.getTimerCount()).toBe(0);
});

test('an address that was silent for ten seconds is told at once again', () => {
  tell('a');
  vi.advanceTimersByTime(10_000);
  tell('a');
  expect(told()).toEqual([
    ['a', 0],
    ['a', 0],
  ]);
});

test('a flood of one address: at most one line in ten seconds, none left out, another address is told at once', () => {
  const times: number[] = [];
  lines = createFailureLines((line) => {
    written.push(line);
    if (line.ip === 'a') times.push(performance.now());
  });
  for (let ms = 0; ms < 60_000; ms += 10) {
    tell('a');
    if (ms === 30_000) tell('b');
    vi.advanceTimersByTime(10);
  }
  vi.advanceTimersByTime(20_000);
  for (const [index, time] of times.entries())
    if (index > 0) expect(time - (times[index - 1] ?? 0)).toBeGreaterThanOrEqual(10_000);
  expect(times.length).toBeLessThanOrEqual(8);
  expect(told().filter(([ip]) => ip === 'b')).toEqual([['b', 0]]);
  expect(sum()).toBe(6_001);
});

test('addresses beyond those that are remembered share one line', () => {
  for (const ip of ['a', 'b', 'c', 'd', 'e', 'f', 'a']) tell(ip);
  expect(told()).toEqual([
    ['a', 0],
    ['b', 0],
    ['c', 0],
    ['others', 0],
  ]);
  vi.advanceTimersByTime(10_000);
  expect(told().slice(4)).toEqual([
    ['a', 0],
    ['others', 1],
  ]);
  expect(sum()).toBe(7);
});

test('a hundred thousand addresses cost a bounded number of lines and timers, and every failure is counted', () => {
  for (let n = 0; n < 100_000; n++) tell(`address ${n}`);
  expect(written).toHaveLength(4);
  expect(vi.getTimerCount()).toBe(1);
  lines.flush();
  expect(sum()).toBe(100_000);
  expect(vi.getTimerCount()).toBe(0);
});

test('flush tells what is held back', () => {
  for (let n = 0; n < 5; n++) tell('a');
  lines.flush();
  expect(told()).toEqual([
    ['a', 0],
    ['a', 3],
  ]);
});

test('a line that is told later belongs to no request', () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  onTestFinished(() => context.disable());
  const requests: (string | undefined)[] = [];
  lines = createFailureLines(() => requests.push(requestScope()?.id));
  inRequest('r1', () => tell('a'));
  inRequest('r2', () => tell('a'));
  vi.advanceTimersByTime(10_000);
  expect(requests).toEqual(['r1', undefined]);
});
