import { setTimeout } from 'node:timers/promises';
import { outsideRequests } from './request-scope.ts';
import { within } from './within.ts';

export interface BackgroundLoop {
  /** Begins the work. Call it once. */
  start(): void;
  /** Begins no further step, and waits at most `graceMs` for one that is running. */
  stop(graceMs: number): Promise<void>;
}

interface LoopOptions {
  /**
   * One piece of the work.
   * @param signal aborted by `stop`
   * @returns the pause before the next one, in milliseconds; 0: there is more to do at once
   */
  readonly step: (signal: AbortSignal) => Promise<number>;
  /** The pause after a step that has failed, in milliseconds. */
  readonly retryMs: number;
  /** A step has failed. Not called for what a stop cut off. */
  readonly onError: (error: unknown) => void;
  /** The last work, after a stop. */
  readonly atEnd?: () => Promise<void>;
}

/** Repeats a step in the background until it is stopped. A step that fails is reported and repeated. */
export function createBackgroundLoop({ step, retryMs, onError, atEnd }: LoopOptions): BackgroundLoop {
  const stopping = new AbortController();
  const { signal } = stopping;
  const report = (error: unknown) => {
    if (!signal.aborted) onError(error);
  };
  const run = async () => {
    while (!signal.aborted) {
      const pauseMs = await step(signal).catch((error: unknown) => {
        report(error);
        return retryMs;
      });
      if (pauseMs > 0) await pause(pauseMs, signal);
    }
    await atEnd?.().catch(report);
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

/** Waits. An abort of `signal` ends the wait early without an error. */
export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  setTimeout(ms, undefined, { signal }).catch(() => undefined);
