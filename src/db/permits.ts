import { unavailable } from '../errors.ts';

/** As many permits as there are connections; whoever has one finds a connection free. */
export interface Permits {
  /**
   * Runs `work` with a permit, in the order of asking.
   * @throws SERVICE_UNAVAILABLE, without having run it, when none came free in time or too many wait already
   */
  run<T>(work: (patience: Patience) => Promise<T>): Promise<T>;
  /** Permits that are held now. */
  held(): number;
}

/** Less than a request's deadline: what has not been sent by then is known not to have run, and the caller is told so. */
const PATIENCE_MS = 2000;
/** Beyond this many waiting for each permit a request is turned away at once instead of making the queue longer. */
const WAITING_PER_PERMIT = 100;

/** What is left of the time within which a piece of work must have been sent. */
export interface Patience {
  leftMs(): number;
  /** @throws SERVICE_UNAVAILABLE when nothing is left */
  assertLeft(): void;
}

const tooLate = () => unavailable(new Error(`no connection came free within ${PATIENCE_MS} ms`));

function startPatience(): Patience {
  const end = performance.now() + PATIENCE_MS;
  const leftMs = () => end - performance.now();
  return {
    leftMs,
    assertLeft() {
      if (leftMs() <= 0) throw tooLate();
    },
  };
}

/**
 * The driver would send statements ahead on connections that are still busy: one that waits for a lock would hold up
 * others, and after a fault nobody could say which of them had run. And it refuses a transaction that begins so.
 */
export function createPermits(count: number): Permits {
  const waiting = new Set<() => void>();
  let held = 0;

  const acquire = (): Promise<void> | undefined => {
    if (held < count) {
      held++;
      return undefined;
    }
    if (waiting.size >= count * WAITING_PER_PERMIT)
      throw unavailable(new Error('too many wait for a connection'));
    return new Promise((resolve, reject) => {
      const take = () => {
        clearTimeout(timer);
        waiting.delete(take);
        resolve();
      };
      const timer = setTimeout(() => {
        waiting.delete(take);
        reject(tooLate());
      }, PATIENCE_MS);
      waiting.add(take);
    });
  };

  return {
    async run(work) {
      const patience = startPatience();
      await acquire();
      try {
        return await work(patience);
      } finally {
        // A permit that is passed on stays held.
        const [next] = waiting;
        if (next) next();
        else held--;
      }
    },
    held: () => held,
  };
}
