/** One of the values. All have the same probability. */
export function pickOne<T>(values: readonly T[]): T {
  const value = values[Math.floor(Math.random() * values.length)];
  if (value === undefined) throw new Error('there is nothing to choose from');
  return value;
}

/** True with this probability (0 to 1). */
export const withProbability = (probability: number): boolean => Math.random() < probability;
