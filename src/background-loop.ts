import { setTimeout } from 'node:timers/promises';
import { outsideRequests } from './request-scope.ts';
import { within } from './within.ts';

export interface BackgroundLoop {
  /** Begins the work. Call it once. */
  start(): void;
  /** Begins no further step, and waits at most `graceMs` for one that is running. */
  stop(graceMs: number): Promise<void>;
}

/**
 * Repeats a step: at once while it says that there is more to do, otherwise after `everyMs`. A step that fails is reported and
 * repeated after the same pause.
 */
export function createBackgroundLoop({
  step,
  everyMs,
  onError,
}: {
  step: () => Promise<boolean>;
  everyMs: number;
  onError: (error: unknown) => void;
}): BackgroundLoop {
  const stopping = new AbortController();
  const { signal } = stopping;
  const run = async () => {
    while (!signal.aborted) {
      const more = await step().catch((error: unknown) => {
        // A step that a shutdown cut off is no failure.
        if (!signal.aborted) onError(error);
        return false;
      });
      // A stop ends the pause early; that is no failure.
      if (!more) await setTimeout(everyMs, undefined, { signal }).catch(() => undefined);
    }
  };
  let running: Promise<void> = Promise.resolve();
  return {
    start() {
      // Outside the context of whatever starts it: its work belongs to no request.
      running = outsideRequests(run);
    },
    async stop(graceMs) {
      stopping.abort();
      await within(graceMs, running);
    },
  };
}
