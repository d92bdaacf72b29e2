import { randomInt } from 'node:crypto';

/** How much a test with random input does, and from which seed. */
export interface Fuzz {
  readonly runs: number;
  readonly seed: number;
  /** Whether somebody asked for more, as the night does. */
  readonly long: boolean;
  /** The variables that make the same run again. */
  readonly again: string;
}

/**
 * The runs of the test `name`: the same `gateRuns` every time, so that the gate does not depend on luck. `NAME_RUNS` asks for
 * more, which are new ones each time, and `NAME_SEED` for those of a printed seed.
 */
export function fuzz(name: string, gateRuns: number, env: NodeJS.ProcessEnv = process.env): Fuzz {
  const { [`${name}_RUNS`]: runsAsked, [`${name}_SEED`]: seedAsked } = env;
  const runs = Number(runsAsked ?? gateRuns);
  const seed = Number(seedAsked ?? (runsAsked === undefined ? 1 : randomInt(2 ** 31)));
  return { runs, seed, long: runsAsked !== undefined, again: `${name}_SEED=${seed} ${name}_RUNS=${runs}` };
}
