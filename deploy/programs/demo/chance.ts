/** One of the values, each as likely as the others. */
export function oneOf<T>(values: readonly T[]): T {
  const value = values[Math.floor(Math.random() * values.length)];
  if (value === undefined) throw new Error('there is nothing to choose from');
  return value;
}

export const chance = (share: number): boolean => Math.random() < share;

/** A moment in which nothing is done; over at once when `signal` is aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}

/**
 * How busy the moment is: a day of `daySeconds` that begins at night, with a quarter of the mean at its quietest and seven
 * quarters at its busiest.
 */
export const wave = (seconds: number, daySeconds: number): number =>
  1 - 0.75 * Math.cos((2 * Math.PI * seconds) / daySeconds);
