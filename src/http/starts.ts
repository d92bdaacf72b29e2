import { createFairQueue } from '../fair-queue.ts';

/**
 * Lets one requester begin no more than this many requests in a turn of the event loop. To begin one takes a fraction of a
 * millisecond, so others wait for a few milliseconds instead of for everything that came before.
 */
export const STARTS_PER_TURN = 4;
/** Whoever has been alone for so long is not held back. Requests that begin together share statements, which is cheaper. */
const ALONE_AFTER_MS = 10_000;

/** Decides when requests begin. */
export interface Starts {
  /**
   * Resolves when a request of this requester may begin: at once, unless there are other requesters and it has begun many in this
   * turn of the event loop.
   * Its own requests begin in the order in which they came.
   */
  begin(requester: string): Promise<void> | undefined;
}

/**
 * Requests of one requester take turns with those of others. Hundreds that come at once would otherwise all be worked on
 * before the event loop looks at what came next. Nothing is refused, and nobody waits while there is no other work.
 */
export function createStarts(perTurn = STARTS_PER_TURN, now = () => performance.now()): Starts {
  const queue = createFairQueue<() => void>();
  // Of this turn of the event loop.
  const begun = new Map<string, number>();
  let turnEnds = false;
  let latest = '';
  let aloneFrom = Number.NEGATIVE_INFINITY;

  const mayBegin = (requester: string) => (begun.get(requester) ?? 0) < perTurn;
  const count = (requester: string) => {
    begun.set(requester, (begun.get(requester) ?? 0) + 1);
    if (turnEnds) return;
    turnEnds = true;
    setImmediate(nextTurn);
  };
  const nextTurn = () => {
    turnEnds = false;
    begun.clear();
    for (let start = queue.take(mayBegin); start; start = queue.take(mayBegin)) start();
  };
  return {
    begin(requester) {
      if (requester !== latest) {
        if (latest !== '') aloneFrom = now() + ALONE_AFTER_MS;
        latest = requester;
      }
      if (queue.size === 0 && now() >= aloneFrom) return undefined;
      if (queue.of(requester) === 0 && mayBegin(requester)) {
        count(requester);
        return undefined;
      }
      return new Promise((resolve) => {
        queue.add(requester, () => {
          count(requester);
          resolve();
        });
      });
    },
  };
}
