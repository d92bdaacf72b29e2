import { setTimeout as delay } from 'node:timers/promises';
import type { ProgramName } from './definitions.ts';
import type { Stack } from './stack.ts';

/** A part that ends more often than this within the window is not started again. */
const MOST_STARTS = 5;
const WINDOW_MS = 5 * 60_000;
/** So long after the first death, and longer after each further one. */
const PAUSE_MS = 300;

/**
 * Starts each part again that ends by itself, and says so. Ends that the stack itself brings about are left alone.
 * @returns a promise that never resolves
 * @throws {Error} with the name of the part when one of them ends too often
 */
export function keepRunning(stack: Stack, say: (line: string) => void): Promise<never> {
  const ends = new Map<ProgramName, number[]>();
  const countEnd = (name: ProgramName): number => {
    const now = performance.now();
    const recent = [...(ends.get(name) ?? []).filter((at) => now - at < WINDOW_MS), now];
    ends.set(name, recent);
    return recent.length;
  };
  const startAgain = async (name: ProgramName, how: string): Promise<void> => {
    let reason = `${name} ended with ${how}`;
    while (!stack.stopping) {
      const count = countEnd(name);
      if (count > MOST_STARTS)
        throw new Error(`${reason}. It was started again ${MOST_STARTS} times: giving up`);
      say(`${reason}: it is started again`);
      await delay(count * PAUSE_MS);
      try {
        await stack.startAgain(name);
        if (!stack.stopping) say(`${name} answers again`);
        return;
      } catch (error) {
        reason = (error as Error).message;
      }
    }
  };
  return new Promise((_, giveUp) => {
    stack.onUnexpectedExit((name, how) => void startAgain(name, how).catch(giveUp));
  });
}
