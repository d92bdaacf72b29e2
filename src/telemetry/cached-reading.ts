import { within } from '../within.ts';

export interface CachedReadingOptions<T> {
  readonly read: () => Promise<T>;
  /** Least time between the beginnings of two reads, in milliseconds. */
  readonly maxAgeMs?: number;
  /** A value that was read longer ago is not known any more, in milliseconds. */
  readonly maxKnownMs?: number;
  /** Longest time an `observe` waits for a read, in milliseconds. */
  readonly waitMs?: number;
  /** Called for each failed read, and about once every `maxAgeMs` while a read does not come back. */
  readonly onError: (error: unknown) => void;
  /** Monotonic clock in milliseconds. */
  readonly now?: () => number;
}

export interface CachedReading<T> {
  /** The last known value, after at most `waitMs`; `undefined` when there was none in the last `maxKnownMs`. Never rejects. */
  observe(): Promise<T | undefined>;
}

/**
 * A value that is expensive to read, for a gauge. Reads never overlap, at most one starts every `maxAgeMs`, and each answer
 * comes in bounded time (telemetry contract: gauges never make a scrape slow, and are omitted rather than wrong).
 */
export function createCachedReading<T>(options: CachedReadingOptions<T>): CachedReading<T> {
  const { read, maxAgeMs = 5000, maxKnownMs = 30_000, waitMs = 300, onError } = options;
  const { now = () => performance.now() } = options;
  let value: T | undefined;
  let valueAt = Number.NEGATIVE_INFINITY;
  let flight: Promise<void> | undefined;
  let begun = Number.NEGATIVE_INFINITY;
  let complained = 0;

  const begin = () => {
    begun = now();
    complained = begun;
    // `then` rather than a direct call, so that a read that throws at once is a failed read too.
    flight = Promise.resolve()
      .then(read)
      .then(
        (fresh) => {
          value = fresh;
          valueAt = now();
        },
        (error) => onError(error),
      )
      .finally(() => {
        flight = undefined;
      });
    return flight;
  };

  const known = () => (now() - valueAt <= maxKnownMs ? value : undefined);

  return {
    async observe() {
      const age = now() - begun;
      if (flight === undefined && age < maxAgeMs) return known();
      // A read that hangs is not begun again: it would hang too, and each one holds a connection.
      if (flight !== undefined && now() - complained >= maxAgeMs) {
        complained = now();
        onError(new Error(`a reading has not come back for ${Math.round(age)} ms`));
      }
      await within(waitMs, flight ?? begin());
      return known();
    },
  };
}
