import { afterEach, describe, expect, test } from 'vitest';
import { createCachedReading } from '../../src/telemetry/cached-reading.ts';
import { startHarness } from './harness.ts';

/** A reading whose reads the test answers itself, on a clock that the test moves. */
function startReading() {
  const reads: PromiseWithResolvers<number>[] = [];
  const errors: unknown[] = [];
  const clock = { now: 0 };
  const reading = createCachedReading({
    read: () => {
      const read = Promise.withResolvers<number>();
      reads.push(read);
      return read.promise;
    },
    maxAgeMs: 5000,
    waitMs: 20,
    onError: (error) => errors.push(error),
    now: () => clock.now,
  });
  /** Observes, and answers the read that this begins. */
  const observeWith = async (answer: number | Error) => {
    const count = reads.length;
    const observed = reading.observe();
    await Promise.resolve();
    const read = reads[count];
    if (answer instanceof Error) read?.reject(answer);
    else read?.resolve(answer);
    return observed;
  };
  return { reading, reads, errors, clock, observeWith };
}

test('a value is read at most once every five seconds', async () => {
  const { reading, reads, clock, observeWith } = startReading();
  expect(await observeWith(7)).toBe(7);
  clock.now = 4999;
  expect(await reading.observe()).toBe(7);
  expect(reads).toHaveLength(1);
  clock.now = 5000;
  expect(await observeWith(8)).toBe(8);
  expect(reads).toHaveLength(2);
});

test('concurrent observers share one read', async () => {
  const { reading, reads } = startReading();
  const observers = [reading.observe(), reading.observe(), reading.observe()];
  await Promise.resolve();
  reads[0]?.resolve(3);
  expect(await Promise.all(observers)).toEqual([3, 3, 3]);
  expect(reads).toHaveLength(1);
});

test('there is no value before the first read, and the last one while reads fail', async () => {
  const { errors, clock, observeWith } = startReading();
  expect(await observeWith(new Error('down'))).toBeUndefined();
  clock.now = 5000;
  expect(await observeWith(1)).toBe(1);
  clock.now = 10_000;
  expect(await observeWith(new Error('down'))).toBe(1);
  expect(errors).toHaveLength(2);
});

test('a value of more than 30 s ago is not told, and a fresh one is', async () => {
  const { clock, observeWith } = startReading();
  await observeWith(1);
  clock.now = 30_000;
  expect(await observeWith(new Error('down'))).toBe(1);
  clock.now = 35_001;
  expect(await observeWith(new Error('down'))).toBeUndefined();
  clock.now = 40_001;
  expect(await observeWith(2)).toBe(2);
});

test('a read that hangs delays nobody for long, is not repeated, and is complained about', async () => {
  const { reading, reads, errors, clock, observeWith } = startReading();
  await observeWith(4);
  for (let second = 5; second <= 65; second += 5) {
    clock.now = second * 1000;
    // What is older than 30 s is not told.
    expect(await reading.observe()).toBe(second <= 30 ? 4 : undefined);
  }
  expect(reads).toHaveLength(2);
  expect(errors).toHaveLength(12);
  reads[1]?.resolve(5);
  expect(await reading.observe()).toBe(5);
  clock.now = 70_000;
  expect(await observeWith(6)).toBe(6);
});

describe('the gauge of active grants', () => {
  let harness: ReturnType<typeof startHarness>;
  afterEach(() => harness.stop());

  test('is absent until it was read, shows the last value, and reads no more when ended', async () => {
    harness = startHarness();
    expect((await harness.samples()).has('grantex_active_grants')).toBe(false);
    let reads = 0;
    const end = harness.telemetry.observeActiveGrants(async () => {
      reads += 1;
      return 12;
    });
    end();
    await harness.scrape();
    expect(reads).toBe(0);
    harness.telemetry.observeActiveGrants(async () => 12);
    expect((await harness.samples()).get('grantex_active_grants')).toBe(12);
  });

  test('is omitted, logged and counted when it cannot be read', async () => {
    harness = startHarness();
    harness.telemetry.observeActiveGrants(() => Promise.reject(new Error('down')));
    await harness.scrape();
    const samples = await harness.samples();
    expect(samples.has('grantex_active_grants')).toBe(false);
    expect(samples.get('grantex_metrics_collection_errors_total')).toBe(1);
    expect(harness.lines()[0]).toMatchObject({
      msg: 'metrics.collection_failed',
      metric: 'grantex_active_grants',
    });
  });
});
