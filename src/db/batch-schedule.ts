import { AsyncResource } from 'node:async_hooks';

/** A database that is slower than this is not waited for: it must not make one queue of what could run side by side. */
const PATIENCE_MS = 5;
/** So many at most are sent side by side: a row that somebody locks must not take every connection. */
const MAX_BATCHES_UNDER_WAY = 3;

export interface BatchSchedule {
  /** Sends a batch when the one before it has come back, or at the end of this turn of the event loop if none is out. */
  next(dispatch: () => void): void;
  /** Says that a batch is out until `answer` settles; passes the answer on. */
  running<T>(answer: Promise<T>): Promise<T>;
}

/**
 * When to send a batch of look-ups. While one is out the next one gathers, so that batches grow with the load: a statement
 * costs both sides more than the rows in it do, most of all the write that carries it.
 */
export function createBatchSchedule(): BatchSchedule {
  let out = 0;
  const waiting = new Set<() => void>();
  return {
    next(dispatch) {
      if (out === 0 && waiting.size === 0) {
        setImmediate(dispatch);
        return;
      }
      // Sent by the end of another batch, it still belongs to the request that asked first.
      const asker = new AsyncResource('batch');
      const send = () => {
        clearTimeout(timer);
        waiting.delete(send);
        asker.runInAsyncScope(dispatch);
      };
      const timer = setTimeout(() => {
        if (out < MAX_BATCHES_UNDER_WAY) send();
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
