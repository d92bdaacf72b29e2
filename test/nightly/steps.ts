import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { SERVICE_BUILD } from '../support/service-build-variable.ts';
import { beforeNewYear, type Clock, missingForClocks, nextLeapDay, nextTime } from './clock.ts';

/** One of the things that a night has time for. */
export interface Step {
  readonly name: string;
  readonly command: readonly string[];
  /** Beside those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly clock?: Clock;
  /** How many processes do nothing but use a core beside it. */
  readonly busyLoops?: number;
  /** What this machine lacks for it. */
  readonly missing?: () => string[];
}

const npm = (...args: string[]) => ['npm', 'run', '--silent', ...args];
const WITHOUT_SURROUNDINGS = ['pure', 'unit', 'slow'].flatMap((project) => ['--project', project]);
const UNIT = ['npx', 'vitest', 'run', ...WITHOUT_SURROUNDINGS];

const onClock = (name: string, clock: Clock, env: Record<string, string> = {}): Step => ({
  name,
  command: UNIT,
  // For what looks at the variable first. Processes without variables are given the zone by the machine.
  env: { TZ: clock.zone ?? 'UTC', ...env },
  clock,
  missing: missingForClocks,
});

const program =
  (name: string, debian = name) =>
  () =>
    spawnSync(name, ['--version']).error ? [`${name}: apt-get install ${debian}`] : [];
const OF_FAILOVER = [
  program('etcd', 'etcd-server'),
  program('haproxy'),
  program('patroni'),
  program('/usr/lib/postgresql/15/bin/postgres', 'postgresql-15'),
];

/** In the order of the night: the short ones first. */
export const STEPS: readonly Step[] = [
  // Off hours (22:00 to 06:00), and the hour before another day.
  onClock('clock-2330', { startsAt: (now) => nextTime(now, 23, 30) }),
  onClock('clock-new-year', { startsAt: beforeNewYear }),
  onClock('clock-leap-day', { startsAt: nextLeapDay }),
  // Fourteen hours ahead of UTC, the furthest that there is.
  onClock('zone-kiritimati', { zone: 'Pacific/Kiritimati' }),
  // Behind UTC by what are no whole hours, and in a language with commas in its numbers.
  onClock('zone-st-johns', { zone: 'America/St_Johns' }, { LANG: 'de_DE.UTF-8', LC_ALL: 'de_DE.UTF-8' }),
  // Random input beyond that of the gate, from seeds that are printed.
  {
    name: 'fuzz',
    command: [
      ...['npx', 'vitest', 'run', '--project', 'unit', '--project', 'slow'],
      ...[
        'test/model/model',
        'test/contract/generated',
        'test/policies/decision',
        'test/security/two-tenants',
      ],
    ],
    env: { MODEL_RUNS: '400', CONTRACT_RUNS: '500', DECISION_RUNS: '5000', TENANTS_RUNS: '100000' },
  },
  {
    name: 'many',
    command: [
      ...['npx', 'vitest', 'run', '--project', 'faults', '--project', 'stack'],
      ...[
        'test/faults/memory',
        'test/faults/webhooks.test',
        'test/faults/cardinality',
        'test/stack/schemathesis',
      ],
    ],
    env: {
      MEMORY_REQUESTS: '400000',
      WEBHOOK_TREES: '100',
      UNKNOWN_URLS: '20000',
      SCHEMATHESIS_EXAMPLES: '100',
    },
  },
  // With the service from its sources: in the gate, most tests start a build of it.
  { name: 'busy', command: UNIT, env: { [SERVICE_BUILD]: '' }, busyLoops: availableParallelism() },
  { name: 'pgbouncer', command: npm('test:pgbouncer'), missing: program('pgbouncer') },
  {
    name: 'long',
    command: ['npx', 'vitest', 'run', '--project', 'nightly'],
    missing: () => OF_FAILOVER.flatMap((missing) => missing()),
  },
  // More runs of the model than in the gate, and the same ones each time: what a mutant must meet is rare.
  { name: 'mutants', command: npm('mutants'), env: { MODEL_RUNS: '40', MODEL_SEED: '1' } },
  { name: 'soak', command: npm('soak') },
];

/**
 * The steps of these names, in the order of the night; all of them for no names.
 * @throws for a name that no step has
 */
export function stepsNamed(names: readonly string[], steps: readonly Step[] = STEPS): readonly Step[] {
  const unknown = names.filter((name) => !steps.some((step) => step.name === name));
  if (unknown.length > 0)
    throw new Error(`no step ${unknown.join(', ')}; there are ${steps.map(({ name }) => name).join(', ')}`);
  return steps.filter(({ name }) => names.length === 0 || names.includes(name));
}
