/** The one source of the time of day; injected, so that tests can move it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/** The instant rounded down to a whole second, so that times in JWT claims and in bodies are equal. */
export const wholeSecond = (ms: number): Date => new Date(Math.floor(ms / 1000) * 1000);
