import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { waitFor } from '../support/child.ts';

interface Said {
  readonly written: number;
  readonly lost: number;
  /** Until the process had time for something else again. */
  readonly ms: number;
}

let child: ChildProcess | undefined;
afterEach(async () => {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
});

const LINES = fileURLToPath(new URL('fixtures/lines.ts', import.meta.url));

async function start(stdout: 'pipe' | number) {
  const started = spawn(process.execPath, [LINES], { stdio: ['ignore', stdout, 'inherit', 'ipc'] });
  child = started;
  await once(started, 'message');
  return {
    child: started,
    async write(lines: number): Promise<Said> {
      started.send({ write: lines });
      const [said] = (await once(started, 'message')) as [Said];
      return said;
    },
    /** @returns the milliseconds that the exit took */
    async exit(): Promise<number> {
      const begun = performance.now();
      started.send({ exit: true });
      await once(started, 'exit');
      return performance.now() - begun;
    },
  };
}

/** The numbers of the lines. Half a line is no JSON. */
const numbers = (text: string): number[] =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { n: number }).n);

test('a reader that stops loses lines, which are counted; the rest is whole and in order', async () => {
  const { child, write, exit } = await start('pipe');
  // Nobody reads yet. The buffer holds some 4 MB, and the kernel less than 1 MB.
  let said = await write(60_000);
  expect(said.lost).toBeGreaterThan(10_000);
  const before = said.lost;
  said = await write(1000);
  expect(said.lost).toBe(before + 1000);
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await waitFor(
    () => numbers(text.slice(0, text.lastIndexOf('\n') + 1)).length === said.written - said.lost || undefined,
  );
  const after = await write(500);
  expect(after.lost).toBe(said.lost);
  await exit();
  await waitFor(() => child.stdout?.closed || undefined);
  const read = numbers(text);
  expect(read).toHaveLength(after.written - after.lost);
  expect(read).toEqual(read.toSorted((a, b) => a - b));
  expect(read.slice(-500)).toEqual(Array.from({ length: 500 }, (_, i) => said.written + i));
});

test('the exit does not wait for a reader that has stopped', async () => {
  const { write, exit } = await start('pipe');
  expect((await write(60_000)).lost).toBeGreaterThan(0);
  // Far above what it waits, and far below for ever.
  expect(await exit()).toBeLessThan(10_000);
});

test('the exit waits for a reader that is only slow: no line is lost', async () => {
  const { child, exit, write } = await start('pipe');
  const { lost, written } = await write(20_000);
  expect(lost).toBe(0);
  const ended = exit();
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await ended;
  await waitFor(() => child.stdout?.closed || undefined);
  expect(numbers(text)).toHaveLength(written);
});

describe('what cannot be written is lost and counted, and nothing else happens', () => {
  test('a pipe whose reader has gone', async () => {
    const { child, write } = await start('pipe');
    child.stdout?.destroy();
    await waitFor(async () => ((await write(1)).lost > 0 ? true : undefined));
    const before = await write(0);
    const after = await write(100);
    expect(after.lost - before.lost).toBe(100);
  });

  test('a full disk', async () => {
    const full = openSync('/dev/full', 'w');
    try {
      const { write } = await start(full);
      await write(100);
      expect(await write(0)).toMatchObject({ written: 100, lost: 100 });
    } finally {
      closeSync(full);
    }
  });
});
