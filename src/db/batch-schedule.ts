import { AsyncResource } from 'node:async_hooks';

/** A batch waits no longer than this for the one before it. Otherwise a slow database would serialize work that could run in parallel. */
const PATIENCE_MS = 5;
/** The most batches of one query under way at once. A locked row must not occupy every connection. */
const MAX_BATCHES_UNDER_WAY = 3;

export interface BatchSchedule {
  /** Sends a batch when the one before it is answered. Without one under way it sends at the end of this turn of the event loop. */
  next(dispatch: () => void): void;
  /** Marks a batch as under way until `answer` settles. Returns the answer. */
  running<T>(answer: Promise<T>): Promise<T>;
}

/**
 * Decides when to send a batch of look-ups. The next batch gathers questions while one is under way, so batches grow with
 * the load. A statement costs both sides more than its rows do. The write to the socket costs most.
 * @param atOnce how many may be under way. With 1 each batch waits for the one before it, however long that takes
 */
export function createBatchSchedule(atOnce = MAX_BATCHES_UNDER_WAY): BatchSchedule {
  let out = 0;
  const waiting = new Set<() => void>();
  return {
    next(dispatch) {
      if (out === 0 && waiting.size === 0) {
        setImmediate(dispatch);
        return;
      }
      // The end of another batch may send this one. It must still run in the context of the request that asked first.
      const asker = new AsyncResource('batch');
      const send = () => {
        clearTimeout(timer);
        waiting.delete(send);
        asker.runInAsyncScope(dispatch);
      };
      const timer = setTimeout(() => {
        if (out < atOnce) send();
      }, PATIENCE_MS);
      waiting.add(send);
    },
    async running(answer) {
      out++;
      try {
        return await answer;
      } finally {
        out--;
        for (const send of [...waiting]) send();
      }
    },
  };
}
