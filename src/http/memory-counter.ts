import { LRUCache } from 'lru-cache';

/** The state of a limit after a request was counted. */
export interface Counted {
  /** Requests of this window, the counted one included. */
  readonly consumedPoints: number;
  /** Milliseconds until the window ends. */
  readonly msBeforeNext: number;
}

interface Window {
  consumed: number;
  /** In the time of `now`. */
  readonly endsAt: number;
}

/**
 * Counts requests by key in fixed windows, in this process. It holds at most `maxKeys` windows and then drops the one that was
 * used least recently, so that callers who choose their keys cannot fill the memory. `now` is a monotonic clock in
 * milliseconds.
 */
export function createMemoryCounter(
  maxKeys: number,
  now: () => number = () => performance.now(),
): (key: string, seconds: number) => Counted {
  const windows = new LRUCache<string, Window>({ max: maxKeys });
  return (key, seconds) => {
    const time = now();
    let window = windows.get(key);
    if (!window || window.endsAt <= time) {
      window = { consumed: 0, endsAt: time + 1000 * seconds };
      windows.set(key, window);
    }
    window.consumed += 1;
    return { consumedPoints: window.consumed, msBeforeNext: window.endsAt - time };
  };
}
