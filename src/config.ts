import { VARIABLES } from './variables/table.ts';
import { type Variable, VariableReader } from './variables/variable.ts';

export {
  LIMITER_NAMES,
  type LimiterName,
  type LogLevel,
  type RateLimit,
} from './variables/values.ts';

type Variables = typeof VARIABLES;

/** Everything the environment can set, parsed, checked and frozen. `null` means "not set". */
export type Config = {
  readonly [K in keyof Variables]: Variables[K] extends Variable<infer T> ? T : never;
};

/** The exit code for a configuration that cannot be used: EX_CONFIG of sysexits.h. */
export const BAD_CONFIGURATION = 78;

/** A configuration that cannot be used: every fault, each naming its variable and what it should be. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly string[];
  constructor(faults: readonly string[]) {
    super(`bad configuration: ${faults.join('; ')}`);
    this.faults = faults;
  }
}

/** For `catch`: throws the fault again with the names of the variables that it comes from, for the operator who set them. */
export const namingVariables =
  (variables: string) =>
  (cause: unknown): never => {
    const { message = String(cause), code } = cause as NodeJS.ErrnoException;
    // Where several addresses were tried the message is empty.
    throw new Error(`${variables}: ${message || code}`, { cause });
  };

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Reads the environment into a frozen `Config`. Unset and empty variables take their defaults (contract: configuration).
 * @param sealing false: for a command that opens no signing key, so that SECRET_KEY may be absent
 * @throws {ConfigError} naming every faulty variable; a value is never repeated in it.
 */
export function loadConfig(env: Env, { sealing = true } = {}): Config {
  const reader = new VariableReader((name) => env[name]);
  const { faults } = reader;
  const entries = Object.entries<Variable>(VARIABLES).map(([key, variable]) => [key, reader.read(variable)]);
  const config = Object.fromEntries(entries) as Config;

  if (sealing && env['DATABASE_URL'] && !env['SECRET_KEY'])
    faults.push(
      'SECRET_KEY must be set when DATABASE_URL is set: 32 bytes in base64 (openssl rand -base64 32)',
    );
  if (config.seedApiKey !== null && config.seedApiKey === config.seedSandboxKey)
    faults.push('SEED_SANDBOX_KEY must be different from SEED_API_KEY');
  if (config.metricsPort !== null && config.metricsPort !== 0 && config.metricsPort === config.port)
    faults.push('METRICS_PORT must be different from PORT (leave it unset to serve both on one port)');
  if (faults.length > 0) throw new ConfigError(faults);
  return Object.freeze(config);
}
