import { measure } from './measure.ts';
import { type Options, WORK } from './options.ts';
import type { Scenario } from './scenarios.ts';
import { makeTenants, type Tenants } from './tenants.ts';
import { type Server, type StartedServer, type Testbed, VARIANTS, type Variant } from './testbed.ts';

/** A database with its developers, the services on it, and the floor. */
export interface Site {
  readonly algorithm: 'RS256' | 'ES256';
  readonly full: StartedServer;
  /** Each amount of telemetry that is measured, `full` included. */
  readonly services: ReadonlyMap<Variant, StartedServer>;
  readonly floor: Server;
  readonly tenants: Tenants;
  readonly goalOf: (scenario: Scenario) => Scenario['goal'];
}

/** The shared database, whose keys are RS256. */
export const openSite = (testbed: Testbed, options: Options): Promise<Site> =>
  open(testbed, options, { algorithm: 'RS256', variants: VARIANTS, env: {} });

/** A database whose only key is ES256. */
export async function openEs256Site(testbed: Testbed, options: Options): Promise<Site> {
  const env = { DATABASE_URL: await testbed.addDatabase('es256'), SIGNING_ALGORITHM: 'ES256' };
  return open(testbed, options, { algorithm: 'ES256', variants: options.es256Variants, env });
}

async function open(
  testbed: Testbed,
  options: Options,
  {
    algorithm,
    variants,
    env,
  }: { algorithm: Site['algorithm']; variants: readonly Variant[]; env: Record<string, string> },
): Promise<Site> {
  const services = new Map<Variant, StartedServer>();
  for (const variant of variants) {
    const inspect = variant === 'full' && options.profile !== undefined;
    services.set(variant, await testbed.start(variant, { env, inspect }));
  }
  const full = services.get('full');
  if (!full) throw new Error('a site needs a service with all telemetry');
  const floor = await testbed.startFloor(env);
  const { tokens } = options;
  const tenants = await makeTenants(full, { tokens, refreshTokens: refreshTokensNeeded(options) });
  const load = { ...options.load, seconds: options.warmUpSeconds };
  const warmed = options.scenarios.length > 0 ? [floor, ...services.values()] : [full];
  for (const server of load.seconds > 0 ? warmed : [])
    for (const scenario of WORK) await measure(testbed, server, scenario, tenants, load);
  const goalOf = ({ goal, goalOfEs256 }: Scenario) => (algorithm === 'ES256' ? goalOfEs256 : goal);
  return { algorithm, full, services, floor, tenants, goalOf };
}

/** One for each connection that refreshes: warm-up, turns and a profile of each server, widths and sizes. */
function refreshTokensNeeded({ load, rounds, widths, sizes }: Options): number {
  const wide = widths.reduce((sum, width) => sum + width, 0);
  const servers = VARIANTS.length + 1;
  return wide + load.connections * (servers * (rounds + 1) + 1 + sizes.length);
}
