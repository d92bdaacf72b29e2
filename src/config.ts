import { createPrivateKey, type JsonWebKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';

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

/** How an attempt to deliver a webhook can end; also the values of the `outcome` label of `grantex_webhook_attempts_total`. */
export const ATTEMPT_OUTCOMES = ['2xx', '3xx', '4xx', '5xx', 'timeout', 'refused', 'blocked'] as const;
export type AttemptOutcome = (typeof ATTEMPT_OUTCOMES)[number];

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

/** A parser returns the value or, as `Fault`, what the variable should be. It never repeats the value: it may be a secret. */
class Fault {
  readonly expected: string;
  constructor(expected: string) {
    this.expected = expected;
  }
}
type Parser<T> = (text: string) => T | Fault;

const integer =
  (min: number, max: number): Parser<number> =>
  (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? value : new Fault(`a whole number from ${min} to ${max}`);
  };

const boolean: Parser<boolean> = (text) =>
  text === 'true' ? true : text === 'false' ? false : new Fault('true or false');

const string =
  (min: number, max: number): Parser<string> =>
  (text) =>
    text.length >= min && text.length <= max ? text : new Fault(`${min} to ${max} characters`);

/** What an `Authorization` header can carry. */
const bearerKey =
  (min: number, max: number): Parser<string> =>
  (text) =>
    text.length >= min && text.length <= max && /^[!-~]+$/.test(text)
      ? text
      : new Fault(`${min} to ${max} visible ASCII characters`);

const url =
  (...protocols: string[]): Parser<string> =>
  (text) =>
    // `URL` would also take blanks around it and a scheme without slashes, which what reads the text later would not.
    /^\w+:\/\/\S+$/.test(text) && URL.canParse(text) && protocols.includes(new URL(text).protocol)
      ? text
      : new Fault(`a URL beginning ${protocols.map((p) => `${p}//`).join(' or ')}`);

const baseUrl: Parser<string> = (text) => {
  const parsed = url('http:', 'https:')(text);
  if (parsed instanceof Fault) return parsed;
  const { search, hash, username, password } = new URL(parsed);
  return search || hash || username || password
    ? new Fault('a base URL without user, query and fragment')
    : parsed.replace(/\/+$/, '');
};

const oneOf =
  <T extends string>(values: readonly T[]): Parser<T> =>
  (text) =>
    values.find((value) => value === text) ?? new Fault(`one of ${values.join(', ')}`);

const secretKey: Parser<Buffer> = (text) => {
  const bytes = /^[A-Za-z0-9+/_-]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : Buffer.alloc(0);
  return bytes.length === 32 ? bytes : new Fault('32 bytes in base64 (openssl rand -base64 32)');
};

const bytes: Parser<number> = (text) => {
  const match = /^(\d{1,9})(b|kb|mb)?$/i.exec(text);
  const unit = { b: 1, kb: 1024, mb: 1024 * 1024 }[(match?.[2] ?? 'b').toLowerCase()] ?? 1;
  const value = match ? Number(match[1]) * unit : 0;
  return value >= 1024 && value <= 10 * 1024 * 1024 ? value : new Fault('a size from 1kb to 10mb, like 64kb');
};

const trustProxy: Parser<boolean | number | string> = (text) => {
  if (text === 'true') return true;
  if (text === 'false') return false;
  if (/^\d{1,2}$/.test(text)) return Number(text);
  const names = ['loopback', 'linklocal', 'uniquelocal'];
  const isAddress = (part: string) => {
    const [, address = '', prefix = '1'] = /^([0-9a-fA-F.:]+)(?:\/(\d{1,3}))?$/.exec(part) ?? [];
    const bits = { 0: 0, 4: 32, 6: 128 }[isIP(address)] ?? 0;
    return names.includes(part) || (Number(prefix) >= 1 && Number(prefix) <= bits);
  };
  return text.split(',').every((part) => isAddress(part.trim()))
    ? text
    : new Fault('true, false, a number of hops, or addresses of proxies, comma separated');
};

const origins: Parser<readonly string[]> = (text) => {
  const list = text.split(',').map((part) => part.trim());
  const isOrigin = (part: string) => URL.canParse(part) && new URL(part).origin === part;
  return list.every(isOrigin) ? list : new Fault('origins like https://app.example.com, comma separated');
};

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

/** @throws when it is not a complete private key */
const modulusLength = (key: JsonWebKey): number =>
  createPrivateKey({ key, format: 'jwk' }).asymmetricKeyDetails?.modulusLength ?? 0;

const signingKeys: Parser<readonly Record<string, unknown>[]> = (path) => {
  const expected = new Fault(
    'the path of a readable private JWKS: {"keys":[…]} of RSA keys of 2048 bits or more with distinct "kid"',
  );
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'));
    const keys = (parsed as { keys?: unknown } | null)?.keys;
    if (!Array.isArray(keys) || keys.length === 0) return expected;
    const usable = keys.every(
      (key: Record<string, unknown> | null) =>
        key?.['kty'] === 'RSA' && typeof key['kid'] === 'string' && modulusLength(key as JsonWebKey) >= 2048,
    );
    const distinct = new Set(keys.map((key) => key['kid'])).size === keys.length;
    return usable && distinct ? keys : expected;
  } catch {
    return expected;
  }
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
    if (!(value instanceof Fault)) return value;
    faults.push(`${name} must be ${value.expected}`);
    return fallback;
  };

  const config: Config = {
    host: read('HOST', string(1, 255), '127.0.0.1'),
    port: read('PORT', integer(0, 65535), 3001),
    publicUrl: read('PUBLIC_URL', baseUrl, null),
    trustProxy: read('TRUST_PROXY', trustProxy, false),
    databaseUrl: read('DATABASE_URL', url('postgres:', 'postgresql:'), null),
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
    shutdownTimeoutMs: read('SHUTDOWN_TIMEOUT_MS', integer(100, 600_000), 10_000),
    metricsEnabled: read('METRICS_ENABLED', boolean, true),
    metricsHost: read('METRICS_HOST', string(1, 255), null),
    metricsPort: read('METRICS_PORT', integer(0, 65535), null),
    metricsApiKey: read('METRICS_API_KEY', string(1, 512), null),
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
