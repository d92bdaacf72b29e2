import { expect, test } from 'vitest';
import { createFairQueue } from '../src/fair-queue.ts';

const takeAll = (queue: ReturnType<typeof createFairQueue<string>>, eligible = (_tenant: string) => true) => {
  const taken: string[] = [];
  for (let one = queue.take(eligible); one !== undefined; one = queue.take(eligible)) taken.push(one);
  return taken;
};

test('tenants take turns, each in the order of its own waiters', () => {
  const queue = createFairQueue<string>();
  for (const waiter of ['a1', 'a2', 'a3', 'b1', 'c1', 'c2']) queue.add(waiter.charAt(0), waiter);
  expect([queue.size, queue.of('a'), queue.of('b'), queue.of('d')]).toEqual([6, 3, 1, 0]);
  expect(takeAll(queue)).toEqual(['a1', 'b1', 'c1', 'a2', 'c2', 'a3']);
  expect([queue.size, queue.of('a')]).toEqual([0, 0]);
});

test('who is not eligible keeps its place', () => {
  const queue = createFairQueue<string>();
  for (const waiter of ['a1', 'a2', 'b1']) queue.add(waiter.charAt(0), waiter);
  expect(takeAll(queue, (tenant) => tenant !== 'a')).toEqual(['b1']);
  expect(queue.size).toBe(2);
  expect(takeAll(queue)).toEqual(['a1', 'a2']);
});

test('whoever gave up is passed over', () => {
  const queue = createFairQueue<string>();
  for (const waiter of ['a1', 'a2', 'b1']) queue.add(waiter.charAt(0), waiter);
  queue.remove('a', 'a1');
  queue.remove('a', 'a1');
  expect(queue.size).toBe(2);
  expect(queue.drain()).toEqual(['a2', 'b1']);
  expect(queue.size).toBe(0);
});
