import { parseArgs } from 'node:util';
import type { Load } from './measure.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';

export interface Options {
  readonly load: Load;
  /** How often each variant of the telemetry has its turn. */
  readonly rounds: number;
  readonly warmUpSeconds: number;
  readonly bareSeconds: number;
  readonly scenarios: readonly Scenario[];
  readonly widths: readonly number[];
  /** Grants in the database. */
  readonly sizes: readonly number[];
  /** Grant tokens that are verified in turn. */
  readonly tokens: number;
  /** Agents with series of their own in the larger scrape; 0: no scrape by itself. */
  readonly agents: number;
  readonly json: string;
  readonly profile: string | undefined;
}

const FULL = {
  seconds: '3',
  rounds: '3',
  widths: '1,16,64',
  grants: '1000,100000,1000000',
  agents: '500',
};
/** Long enough to show that each part works; its figures mean nothing. */
const SMOKE = { seconds: '0.3', rounds: '1', widths: '2', grants: '1000', agents: '5' };

/** What the command line asks for. An empty list leaves a part out: `--widths= --grants=` measures the scenarios alone. */
export function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      smoke: { type: 'boolean', default: false },
      seconds: { type: 'string' },
      rounds: { type: 'string' },
      connections: { type: 'string', default: '16' },
      scenarios: { type: 'string' },
      widths: { type: 'string' },
      grants: { type: 'string' },
      agents: { type: 'string' },
      json: { type: 'string' },
      profile: { type: 'string' },
    },
  });
  const usual = values.smoke ? SMOKE : FULL;
  const seconds = Number(values.seconds ?? usual.seconds);
  return {
    load: { connections: Number(values.connections), seconds },
    rounds: Number(values.rounds ?? usual.rounds),
    // Code is compiled as it runs hot, so the first seconds are dearer than those that follow.
    warmUpSeconds: values.smoke ? 0.3 : 3,
    bareSeconds: Math.min(seconds, 1.5),
    scenarios:
      values.scenarios === undefined
        ? SCENARIOS
        : values.scenarios.split(',').filter(Boolean).map(scenarioCalled),
    widths: numbers(values.widths ?? usual.widths),
    sizes: numbers(values.grants ?? usual.grants),
    tokens: values.smoke ? 50 : 1000,
    agents: Number(values.agents ?? usual.agents),
    json: values.json ?? `test/load/results/${new Date().toISOString().replaceAll(':', '-')}.json`,
    profile: values.profile,
  };
}

/** @throws when there is none of that name */
export function scenarioCalled(name: string): Scenario {
  const found = SCENARIOS.find((scenario) => scenario.name === name);
  if (!found) throw new Error(`no scenario "${name}": ${SCENARIOS.map((one) => one.name).join(', ')}`);
  return found;
}

/** What clients wait for and the database takes part in. */
export const WORK = ['verify', 'authorize', 'authorize + exchange', 'refresh'].map(scenarioCalled);

const numbers = (text: string) => text.split(',').filter(Boolean).map(Number);
