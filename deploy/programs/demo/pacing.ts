/** Waits. Resolves at once when `signal` is aborted. */
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
 * The load at a moment, as a multiple of the mean. It follows a day of `daySeconds` that begins at night, with a
 * quarter of the mean at its quietest and seven quarters at its busiest.
 */
export const loadAt = (seconds: number, daySeconds: number): number =>
  1 - 0.75 * Math.cos((2 * Math.PI * seconds) / daySeconds);
