import { randomInt } from 'node:crypto';

/** The number of runs of a test with random input, and their seed. */
export interface Fuzz {
  readonly runs: number;
  readonly seed: number;
  /** Whether the environment asks for more runs, as the nightly job does. */
  readonly long: boolean;
  /** The variables that repeat the same run. */
  readonly again: string;
}

/**
 * The runs of the test `name`. By default they are the same `gateRuns` each time, so that the gate does not depend on
 * luck. `NAME_RUNS` asks for another number of new runs. `NAME_SEED` repeats the runs of a printed seed.
 */
export function fuzz(name: string, gateRuns: number, env: NodeJS.ProcessEnv = process.env): Fuzz {
  const { [`${name}_RUNS`]: runsAsked, [`${name}_SEED`]: seedAsked } = env;
  const runs = Number(runsAsked ?? gateRuns);
  const seed = Number(seedAsked ?? (runsAsked === undefined ? 1 : randomInt(2 ** 31)));
  return { runs, seed, long: runsAsked !== undefined, again: `${name}_SEED=${seed} ${name}_RUNS=${runs}` };
}
