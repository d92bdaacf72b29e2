import { expect, test } from 'vitest';
import { createStarts } from '../../src/http/starts.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test('many requests of one requester begin in several turns of the event loop, those of another at once', async () => {
  const starts = createStarts(2);
  await starts.begin('quiet');
  const begun: string[] = [];
  const come = (requester: string, name: string) => {
    const may = starts.begin(requester);
    if (!may) begun.push(name);
    else void may.then(() => begun.push(name));
  };
  for (let noisy = 1; noisy <= 5; noisy++) come('noisy', `noisy ${noisy}`);
  come('quiet', 'quiet');
  expect(begun).toEqual(['noisy 1', 'noisy 2', 'quiet']);
  await turn();
  expect(begun.slice(3)).toEqual(['noisy 3', 'noisy 4']);
  // What comes later waits behind those of the same requester, and before nobody else.
  come('noisy', 'noisy 6');
  come('quiet', 'quiet again');
  expect(begun.slice(5)).toEqual(['quiet again']);
  await turn();
  expect(begun.slice(6)).toEqual(['noisy 5', 'noisy 6']);
});

test('whoever has been alone for ten seconds begins as many as it likes', async () => {
  let now = 0;
  const starts = createStarts(1, () => now);
  // In the first one, the request that waits begins.
  const quietTurn = async () => {
    await turn();
    await turn();
  };
  const begin = () => [starts.begin('a'), starts.begin('a')].map((may) => may === undefined);
  expect(begin()).toEqual([true, true]);
  await starts.begin('b');
  expect(begin()).toEqual([true, false]);
  now = 9_999;
  await quietTurn();
  expect(begin()).toEqual([true, false]);
  now = 10_000;
  await quietTurn();
  expect(begin()).toEqual([true, true]);
});

test('a requester that has begun many may begin at once in the next turn', async () => {
  const starts = createStarts(1);
  expect([starts.begin('a'), starts.begin('b')]).toEqual([undefined, undefined]);
  await turn();
  expect(starts.begin('a')).toBeUndefined();
});
