import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory, waitFor } from '../support/service.ts';
import { beforeNewYear, nextLeapDay, nextTime } from './clock.ts';
import { runSteps } from './run-steps.ts';
import { STEPS, stepsNamed } from './steps.ts';

describe('the clock is always ahead', () => {
  test.each([
    ['2026-11-28T02:00:00Z', '2026-11-28T23:30:00.000Z'],
    ['2026-11-28T23:30:00Z', '2026-11-29T23:30:00.000Z'],
    ['2026-12-31T23:40:00Z', '2027-01-01T23:30:00.000Z'],
  ])('at %s the next 23:30 is %s', (now, at) => {
    expect(nextTime(new Date(now), 23, 30).toISOString()).toBe(at);
  });

  test.each([
    ['2026-11-28T02:00:00Z', '2026-12-31T23:59:50.000Z'],
    ['2026-12-31T23:59:50Z', '2027-12-31T23:59:50.000Z'],
  ])('at %s the end of the year is at %s', (now, at) => {
    expect(beforeNewYear(new Date(now)).toISOString()).toBe(at);
  });

  test.each([
    ['2026-11-28T02:00:00Z', '2028-02-29T23:30:00.000Z'],
    ['2028-02-29T23:29:59Z', '2028-02-29T23:30:00.000Z'],
    ['2028-02-29T23:30:00Z', '2032-02-29T23:30:00.000Z'],
    // 2100 has no such day.
    ['2096-03-01T00:00:00Z', '2104-02-29T23:30:00.000Z'],
  ])('at %s the next 29 February is at %s', (now, at) => {
    expect(nextLeapDay(new Date(now)).toISOString()).toBe(at);
  });
});

test('steps are chosen by name, in the order of the night; a name that none has is told', () => {
  expect(stepsNamed([])).toEqual(STEPS);
  expect(stepsNamed(['soak', 'busy']).map(({ name }) => name)).toEqual(['busy', 'soak']);
  expect(() => stepsNamed(['busy', 'bussy'])).toThrow(/^no step bussy; there are clock-2330, .*, soak$/);
});

const go = (signal: AbortSignal, ...commands: string[][]) =>
  runSteps(
    commands.map((command, n) => ({ name: `step ${n}`, command })),
    signal,
  );

test('a step that fails, or cannot be run, keeps no other from running', async () => {
  const outcomes = await go(new AbortController().signal, ['false'], ['no-such-program'], ['true']);
  expect(outcomes).toEqual([
    { step: 'step 0', seconds: expect.any(Number), result: 'failed' },
    { step: 'step 1', seconds: expect.any(Number), result: 'failed' },
    { step: 'step 2', seconds: expect.any(Number), result: 'passed' },
  ]);
});

test('after Ctrl-C no other step begins', async () => {
  expect(await go(AbortSignal.abort(), ['true'])).toEqual([]);
});

/** How many processes this one has started that use a core for nothing. */
const busy = () =>
  readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const [, parent] = /\) \S+ (\d+) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
      return (
        Number(parent) === process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('while (')
      );
    } catch {
      return false;
    }
  }).length;

test('busy loops are there for as long as their step, and no longer', async () => {
  const { path, remove } = await temporaryDirectory();
  const untilThereIs = (file: string) =>
    `setInterval(() => fs.existsSync(${JSON.stringify(file)}) && process.exit(), 20)`;
  const command = [process.execPath, '-e', untilThereIs(join(path, 'end'))];
  const running = runSteps([{ name: 'busy', command, busyLoops: 2 }], new AbortController().signal);
  await waitFor(() => busy() === 2 || undefined);
  await writeFile(join(path, 'end'), '');
  expect(await running).toMatchObject([{ step: 'busy', result: 'passed' }]);
  await waitFor(() => busy() === 0 || undefined);
  await remove();
});
