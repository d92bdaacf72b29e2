import {
  baseUrl,
  bearerKey,
  boolean,
  bytes,
  connectionString,
  Fault,
  Faults,
  integer,
  oneOf,
  origins,
  type Parser,
  secretKey,
  signingKeys,
  string,
  timeOfDay,
  trustProxy,
  url,
} from './config-values.ts';

/** Points per window of one named rate limit. */
export interface RateLimit {
  readonly points: number;
  readonly seconds: number;
}

/** The closed set of limiter names; also the values of the `endpoint` label of `grantex_rate_limited_total`. */
export const LIMITER_NAMES = ['api', 'authorize', 'token', 'refresh', 'verify', 'consent', 'signup'] as const;
export type LimiterName = (typeof LIMITER_NAMES)[number];

const DEFAULT_LIMITS: Record<LimiterName, RateLimit> = {
  api: { points: 1200, seconds: 60 },
  authorize: { points: 600, seconds: 60 },
  token: { points: 600, seconds: 60 },
  refresh: { points: 600, seconds: 60 },
  verify: { points: 6000, seconds: 60 },
  consent: { points: 120, seconds: 60 },
  signup: { points: 20, seconds: 3600 },
};

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Everything the environment can set, parsed, checked and frozen. `null` means "not set". */
export interface Config {
  readonly host: string;
  /** 0 asks the system for a free port. */
  readonly port: number;
  /** Base of consent and issuer URLs without a trailing slash; null: `http://localhost:<bound port>`. */
  readonly publicUrl: string | null;
  /** Express's `trust proxy` setting. */
  readonly trustProxy: boolean | number | string;
  /** null: the embedded PostgreSQL in `dataDir`. */
  readonly databaseUrl: string | null;
  readonly databasePoolMax: number;
  readonly dataDir: string;
  readonly migrateOnStart: boolean;
  readonly redisUrl: string | null;
  /** 32 bytes; null: generated in `dataDir` (embedded database only). */
  readonly secretKey: Buffer | null;
  /** Parsed private JWKS (RSA), first key signs; null: keys live in the database. */
  readonly signingKeys: readonly Record<string, unknown>[] | null;
  readonly jwtIssuer: string | null;
  readonly seedApiKey: string | null;
  readonly seedSandboxKey: string | null;
  readonly signupEnabled: boolean;
  readonly maxDelegationDepth: number;
  readonly rateLimitEnabled: boolean;
  readonly rateLimits: Readonly<Record<LimiterName, RateLimit>>;
  /** Greatest request body, bytes. */
  readonly bodyLimit: number;
  readonly corsOrigins: readonly string[];
  /** Webhooks may go to private addresses, over http, and to any port. */
  readonly allowPrivateWebhookHosts: boolean;
  /** Attempts of one delivery, the first included. */
  readonly webhookMaxAttempts: number;
  /** Time between the first attempt and the second; it doubles from then on. */
  readonly webhookBackoffSeconds: number;
  /** For one whole attempt, from the look-up of the name to the end of the answer. */
  readonly webhookTimeoutMs: number;
  /** Deliveries that ended are kept for this long after the event. */
  readonly webhookRetentionDays: number;
  /** Between two looks at all agents, by one replica for all. */
  readonly anomalyScanSeconds: number;
  /** Tokens of one agent in the window that are not yet a spike, and how many times the usual must be exceeded. */
  readonly anomalyRateOver: number;
  readonly anomalyRateFactor: number;
  readonly anomalyRateWindowMinutes: number;
  /** The time before the window that says what is usual. */
  readonly anomalyRateBaselineHours: number;
  /** Least number of actions and exchanges that is judged, and the share of failures that is too much when exceeded. */
  readonly anomalyFailureEntries: number;
  readonly anomalyFailurePercent: number;
  readonly anomalyFailureWindowHours: number;
  /** Tokens of one agent within the off hours that are not yet too many. */
  readonly anomalyOffHoursOver: number;
  /** `HH:mm` UTC. */
  readonly anomalyOffHoursStart: string;
  readonly anomalyOffHoursEnd: string;
  readonly anomalyOffHoursWindowHours: number;
  /** Levels below the limit of delegation that count as next to it. */
  readonly anomalyCascadeMargin: number;
  readonly shutdownTimeoutMs: number;
  readonly metricsEnabled: boolean;
  readonly metricsHost: string | null;
  readonly metricsPort: number | null;
  readonly metricsApiKey: string | null;
  readonly metricsPerAgent: boolean;
  readonly metricsAgentLimit: number;
  readonly logLevel: LogLevel;
  readonly trustTraceContext: boolean;
  readonly capturePrincipal: boolean;
}

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

/** For `catch`: the fault with the variables that it comes from, as the operator who set them is told. */
export const blame =
  (variables: string) =>
  (cause: unknown): never => {
    const { message = String(cause), code } = cause as NodeJS.ErrnoException;
    // Where several addresses were tried the message is empty.
    throw new Error(`${variables}: ${message || code}`, { cause });
  };

type Env = Readonly<Record<string, string | undefined>>;

const rateLimits: Parser<Record<LimiterName, RateLimit>> = (text) => {
  const limits = { ...DEFAULT_LIMITS };
  for (const part of text.split(',')) {
    const match = /^([a-z]+)=(\d{1,9})\/(\d{1,4})$/.exec(part.trim());
    const name = LIMITER_NAMES.find((known) => known === match?.[1]);
    const [points, seconds] = [Number(match?.[2]), Number(match?.[3])];
    if (!name || !(points >= 1) || !(seconds >= 1 && seconds <= 3600))
      return new Fault(
        `name=points/seconds, comma separated; names: ${LIMITER_NAMES.join(', ')}; points at least 1, seconds 1 to 3600`,
      );
    limits[name] = { points, seconds };
  }
  return limits;
};

/**
 * Reads the environment into a frozen `Config`. Unset and empty variables take their defaults (contract: configuration).
 * @param sealing false: for a command that opens no signing key, so that SECRET_KEY may be absent
 * @throws {ConfigError} naming every faulty variable; a value is never repeated in it.
 */
export function loadConfig(env: Env, { sealing = true } = {}): Config {
  const faults: string[] = [];
  const read = <T, D>(name: string, parse: Parser<T>, fallback: D): T | D => {
    const text = env[name];
    if (text === undefined || text === '') return fallback;
    const value = parse(text);
    if (value instanceof Fault) faults.push(`${name} must be ${value.expected}`);
    else if (value instanceof Faults) faults.push(...value.list.map((fault) => `${name}: ${fault}`));
    else return value;
    return fallback;
  };

  const config: Config = {
    host: read('HOST', string(1, 255), '127.0.0.1'),
    port: read('PORT', integer(0, 65535), 3001),
    publicUrl: read('PUBLIC_URL', baseUrl, null),
    trustProxy: read('TRUST_PROXY', trustProxy, false),
    databaseUrl: read('DATABASE_URL', connectionString, null),
    databasePoolMax: read('DATABASE_POOL_MAX', integer(1, 1000), 10),
    dataDir: read('DATA_DIR', string(1, 4096), '.data'),
    migrateOnStart: read('MIGRATE_ON_START', boolean, true),
    redisUrl: read('REDIS_URL', url('redis:', 'rediss:'), null),
    secretKey: read('SECRET_KEY', secretKey, null),
    signingKeys: read('SIGNING_KEYS_FILE', signingKeys, null),
    jwtIssuer: read('JWT_ISSUER', string(1, 2048), null),
    seedApiKey: read('SEED_API_KEY', bearerKey(16, 512), null),
    seedSandboxKey: read('SEED_SANDBOX_KEY', bearerKey(16, 512), null),
    signupEnabled: read('SIGNUP_ENABLED', boolean, true),
    maxDelegationDepth: read('MAX_DELEGATION_DEPTH', integer(0, 10), 3),
    rateLimitEnabled: read('RATE_LIMIT_ENABLED', boolean, true),
    rateLimits: read('RATE_LIMITS', rateLimits, DEFAULT_LIMITS),
    bodyLimit: read('BODY_LIMIT', bytes, 64 * 1024),
    corsOrigins: read('CORS_ORIGINS', origins, []),
    allowPrivateWebhookHosts: read('ALLOW_PRIVATE_WEBHOOK_HOSTS', boolean, false),
    webhookMaxAttempts: read('WEBHOOK_MAX_ATTEMPTS', integer(1, 20), 5),
    webhookBackoffSeconds: read('WEBHOOK_BACKOFF_SECONDS', integer(1, 86_400), 30),
    webhookTimeoutMs: read('WEBHOOK_TIMEOUT_MS', integer(100, 60_000), 10_000),
    webhookRetentionDays: read('WEBHOOK_RETENTION_DAYS', integer(1, 3650), 30),
    anomalyScanSeconds: read('ANOMALY_SCAN_SECONDS', integer(1, 86_400), 300),
    anomalyRateOver: read('ANOMALY_RATE_OVER', integer(0, 1_000_000), 50),
    anomalyRateFactor: read('ANOMALY_RATE_FACTOR', integer(1, 1000), 10),
    anomalyRateWindowMinutes: read('ANOMALY_RATE_WINDOW_MINUTES', integer(1, 1440), 60),
    anomalyRateBaselineHours: read('ANOMALY_RATE_BASELINE_HOURS', integer(1, 720), 24),
    anomalyFailureEntries: read('ANOMALY_FAILURE_ENTRIES', integer(1, 1_000_000), 5),
    anomalyFailurePercent: read('ANOMALY_FAILURE_PERCENT', integer(0, 100), 20),
    anomalyFailureWindowHours: read('ANOMALY_FAILURE_WINDOW_HOURS', integer(1, 720), 24),
    anomalyOffHoursOver: read('ANOMALY_OFF_HOURS_OVER', integer(0, 1_000_000), 10),
    anomalyOffHoursStart: read('ANOMALY_OFF_HOURS_START', timeOfDay, '22:00'),
    anomalyOffHoursEnd: read('ANOMALY_OFF_HOURS_END', timeOfDay, '06:00'),
    anomalyOffHoursWindowHours: read('ANOMALY_OFF_HOURS_WINDOW_HOURS', integer(1, 720), 24),
    anomalyCascadeMargin: read('ANOMALY_CASCADE_MARGIN', integer(0, 10), 1),
    shutdownTimeoutMs: read('SHUTDOWN_TIMEOUT_MS', integer(100, 600_000), 10_000),
    metricsEnabled: read('METRICS_ENABLED', boolean, true),
    metricsHost: read('METRICS_HOST', string(1, 255), null),
    metricsPort: read('METRICS_PORT', integer(0, 65535), null),
    metricsApiKey: read('METRICS_API_KEY', bearerKey(1, 512), null),
    metricsPerAgent: read('METRICS_PER_AGENT', boolean, true),
    metricsAgentLimit: read('METRICS_AGENT_LIMIT', integer(1, 10_000), 500),
    logLevel: read('LOG_LEVEL', oneOf(LOG_LEVELS), 'info'),
    trustTraceContext: read('TRUST_TRACE_CONTEXT', boolean, false),
    capturePrincipal: read('OTEL_CAPTURE_PRINCIPAL', boolean, false),
  };

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
