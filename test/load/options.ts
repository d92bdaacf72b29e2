import { parseArgs } from 'node:util';
import type { Load } from './measure.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';
import { VARIANTS, type Variant } from './testbed.ts';

export interface Options {
  readonly load: Load;
  /** The number of turns of each telemetry variant. */
  readonly rounds: number;
  /** 0: nothing is warmed up. */
  readonly warmUpSeconds: number;
  readonly scenarios: readonly Scenario[];
  readonly widths: readonly number[];
  /** The numbers of grants in the database. */
  readonly sizes: readonly number[];
  /** The number of grant tokens to verify in turn. */
  readonly tokens: number;
  /** The number of agents with their own series in the larger scrape; 0: no measurement of the scrape alone. */
  readonly agents: number;
  /** The number of clients that follow the revocation feed; 0: no measurement of it. */
  readonly followers: number;
  /** The two numbers of grants that are compared; undefined: no comparison. */
  readonly rows: { readonly few: number; readonly many: number } | undefined;
  /** Where the databases of this comparison are kept for later runs. */
  readonly directory: string | undefined;
  /** A short run for CI, of the service as built for tests, which starts sooner. */
  readonly smoke: boolean;
  /** There is nothing but this comparison. */
  readonly onlyRows: boolean;
  readonly json: string;
  /** Where CPU profiles of each scenario are written; undefined: there are none. */
  readonly profile: string | undefined;
  /** The services that sign with ES256; the floor is compared with each. */
  readonly es256Variants: readonly Variant[];
}

const FULL = {
  connections: '16',
  seconds: '3',
  rounds: '3',
  widths: '1,16,64',
  grants: '1000,100000,1000000',
  agents: '500',
  followers: '1000',
};
/** The database with which a larger one is compared. */
const FEW_ROWS = 10_000;
/** Just long enough to show that each part works. Its figures mean nothing. */
const SMOKE_ROWS = { few: 4000, many: 8000 };
const SMOKE = {
  connections: '4',
  seconds: '1',
  rounds: '1',
  widths: '2',
  grants: '1000',
  agents: '5',
  followers: '20',
};
/** Requests instead of a time, so that a slow machine has answers too. */
const SMOKE_AMOUNT = 16;

/** Reads the command line. An empty list omits a part: `--widths= --grants=` measures only the scenarios. */
export function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      smoke: { type: 'boolean', default: false },
      seconds: { type: 'string' },
      rounds: { type: 'string' },
      connections: { type: 'string' },
      scenarios: { type: 'string' },
      widths: { type: 'string' },
      grants: { type: 'string' },
      agents: { type: 'string' },
      followers: { type: 'string' },
      rows: { type: 'string' },
      directory: { type: 'string' },
      json: { type: 'string' },
      profile: { type: 'string' },
    },
  });
  const usual = values.smoke ? SMOKE : FULL;
  const smokeRows = values.smoke ? SMOKE_ROWS : undefined;
  const seconds = Number(values.seconds ?? usual.seconds);
  return {
    load: {
      connections: Number(values.connections ?? usual.connections),
      seconds,
      ...(values.smoke && { amount: SMOKE_AMOUNT }),
    },
    rounds: Number(values.rounds ?? usual.rounds),
    // The runtime compiles hot code in the first seconds, which are therefore more expensive than the later ones.
    warmUpSeconds: values.smoke ? 0 : Math.min(seconds, 3),
    scenarios:
      values.scenarios === undefined
        ? SCENARIOS
        : values.scenarios.split(',').filter(Boolean).map(scenarioCalled),
    widths: numbers(values.widths ?? usual.widths),
    sizes: numbers(values.grants ?? usual.grants),
    tokens: values.smoke ? 20 : 1000,
    agents: Number(values.agents ?? usual.agents),
    followers: Number(values.followers ?? usual.followers),
    rows: values.rows === undefined ? smokeRows : { few: FEW_ROWS, many: Number(values.rows) },
    directory: values.directory,
    smoke: values.smoke,
    onlyRows: values.rows !== undefined,
    json: values.json ?? `test/load/results/${new Date().toISOString().replaceAll(':', '-')}.json`,
    profile: values.profile,
    es256Variants: values.smoke ? ['full'] : VARIANTS,
  };
}

/** @throws when there is no scenario of this name */
export function scenarioCalled(name: string): Scenario {
  const found = SCENARIOS.find((scenario) => scenario.name === name);
  if (!found) throw new Error(`no scenario "${name}": ${SCENARIOS.map((one) => one.name).join(', ')}`);
  return found;
}

/** The scenarios that clients wait for and that use the database. */
export const WORK = ['verify', 'authorize', 'authorize + exchange', 'refresh'].map(scenarioCalled);

const numbers = (text: string) => text.split(',').filter(Boolean).map(Number);
