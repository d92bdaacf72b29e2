import type { Config } from '../src/config.ts';
import { SECRET_KEY } from './support/service.ts';

interface Case {
  readonly key: keyof Config;
  readonly otherwise: unknown;
  /** What is written, and what is read. */
  readonly good: readonly (readonly [string, unknown])[];
  readonly bad: readonly string[];
}

const limits = {
  api: { points: 1200, seconds: 60 },
  authorize: { points: 600, seconds: 60 },
  token: { points: 600, seconds: 60 },
  refresh: { points: 600, seconds: 60 },
  verify: { points: 6000, seconds: 60 },
  consent: { points: 120, seconds: 60 },
  signup: { points: 20, seconds: 3600 },
};
const flag = (key: keyof Config, otherwise: boolean): Case => ({
  key,
  otherwise,
  good: [
    ['true', true],
    ['false', false],
  ],
  bad: ['yes', '1', 'TRUE', 'true '],
});
const whole = (key: keyof Config, otherwise: number | null, min: number, max: number): Case => ({
  key,
  otherwise,
  good: [min, max].map((value) => [String(value), value] as const),
  bad: [String(min - 1), String(max + 1), 'many', '1.5', '0x10', '1e2', ' 1'],
});
const timeOfDay = (key: keyof Config, otherwise: string): Case => ({
  key,
  otherwise,
  good: ['00:00', '23:59'].map((time) => [time, time] as const),
  bad: ['24:00', '7:00', '07:60', '07:00:00', '0700', ' 07:00'],
});
const text = (key: keyof Config, otherwise: string | null, min: number, max: number): Case => ({
  key,
  otherwise,
  good: [min, max].map((length) => ['k'.repeat(length), 'k'.repeat(length)] as const),
  bad: [...(min > 1 ? ['hunter2'] : []), 'hunter2'.padEnd(max + 1, 'x')],
});

const key = (name: keyof Config, min: number, max: number): Case => {
  const base = text(name, null, min, max);
  return { ...base, bad: [...base.bad, 'hunter2 with blanks in it', 'hunter2-ключ-разработчика'] };
};

/** Every variable of the contract's table that `src/config.ts` reads. What must stay secret holds `hunter2`. */
export const CASES: Record<string, Case> = {
  KEEP_ALIVE_SECONDS: whole('keepAliveSeconds', 65, 1, 3600),
  MAX_CONNECTIONS: whole('maxConnections', 10_000, 10, 1_000_000),
  MAX_CONNECTIONS_PER_ADDRESS: whole('maxConnectionsPerAddress', 2000, 1, 1_000_000),
  REQUIRE_PKCE: flag('requirePkce', false),
  ALLOW_HTTP_REDIRECTS: flag('allowHttpRedirects', false),
  HOST: text('host', '127.0.0.1', 1, 255),
  PORT: whole('port', 3001, 0, 65_535),
  PUBLIC_URL: {
    key: 'publicUrl',
    otherwise: null,
    good: [
      ['https://auth.example.com', 'https://auth.example.com'],
      ['https://example.com/auth/', 'https://example.com/auth'],
      ['http://localhost:3001', 'http://localhost:3001'],
    ],
    bad: [
      'auth.example.com',
      'ftp://example.com',
      'https:example.com',
      'https://example.com ',
      'https://example.com\n',
      'https://example.com/?a=1',
      'https://example.com/#a',
      'https://me:hunter2@example.com',
    ],
  },
  TRUST_PROXY: {
    key: 'trustProxy',
    otherwise: false,
    good: [
      ['true', true],
      ['false', false],
      ['2', 2],
      ['loopback, 10.0.0.0/8', 'loopback, 10.0.0.0/8'],
      ['::1,fc00::/7', '::1,fc00::/7'],
    ],
    bad: ['my-proxy', '300.1.1.1', 'dead', '10.0.0.0/33', '10.0.0.0/0', 'fc00::/129', '10.0.0.1,'],
  },
  DATABASE_URL: {
    key: 'databaseUrl',
    otherwise: null,
    good: [
      'postgres://u:p@db/x',
      'postgresql://db/x?sslmode=require',
      'postgres://[::1],%2Frun:7/x',
      'host=db dbname=x',
    ].map((url) => [url, url] as const),
    bad: [
      'db.example.com',
      'mysql://me:hunter2@db/x',
      'postgres:me:hunter2@db/x',
      ' postgres://me:hunter2@db/x',
    ],
  },
  DATABASE_POOL_MAX: whole('databasePoolMax', 10, 1, 1000),
  DATA_DIR: text('dataDir', '.data', 1, 4096),
  MIGRATE_ON_START: flag('migrateOnStart', true),
  REDIS_URL: {
    key: 'redisUrl',
    otherwise: null,
    // Every form has its case in test/redis-url.test.ts.
    good: [
      ['redis://localhost:6379/1', { host: 'localhost', port: 6379, db: 1 }],
      ['rediss://u:p@cache', { host: 'cache', port: 6379, db: 0, username: 'u', password: 'p', tls: {} }],
    ],
    bad: ['http://:hunter2@cache', 'cache:6379', 'redis://:hunter2@cache?timeout=1'],
  },
  SECRET_KEY: {
    key: 'secretKey',
    otherwise: null,
    good: [
      [SECRET_KEY, Buffer.alloc(32, 7)],
      [Buffer.alloc(32, 255).toString('base64url'), Buffer.alloc(32, 255)],
    ],
    bad: [
      'hunter2',
      Buffer.alloc(31).toString('base64'),
      Buffer.alloc(33).toString('base64'),
      '~'.repeat(43),
    ],
  },
  SECRET_KEY_OLD: {
    key: 'secretKeyOld',
    otherwise: null,
    good: [[SECRET_KEY, Buffer.alloc(32, 7)]],
    bad: ['hunter2', Buffer.alloc(31).toString('base64')],
  },
  GRANT_TOKEN_MAX_TTL: {
    key: 'grantTokenMaxSeconds',
    otherwise: 86_400,
    good: [
      ['15m', 900],
      ['1s', 1],
      ['3650d', 315_360_000],
    ],
    bad: ['0s', '24', '1w', '3651d', '-1h', '1h30m', ' 1h'],
  },
  GRANT_TOKEN_TYPE: {
    key: 'grantTokenType',
    otherwise: 'JWT',
    good: [['at+jwt', 'at+jwt']],
    bad: ['jwt', 'application/at+jwt'],
  },
  SIGNING_ALGORITHM: {
    key: 'signingAlgorithm',
    otherwise: 'RS256',
    good: [['ES256', 'ES256']],
    bad: ['es256', 'HS256', 'none', 'PS256'],
  },
  SIGNING_KEYS_FILE: { key: 'signingKeys', otherwise: null, good: [], bad: ['/nowhere/hunter2.json'] },
  JWT_ISSUER: text('jwtIssuer', null, 1, 2048),
  SEED_API_KEY: key('seedApiKey', 16, 512),
  SEED_SANDBOX_KEY: key('seedSandboxKey', 16, 512),
  SIGNUP_ENABLED: flag('signupEnabled', true),
  MAX_DELEGATION_DEPTH: whole('maxDelegationDepth', 3, 0, 10),
  MAX_AGENTS: whole('maxAgents', 1000, 1, 1_000_000),
  MAX_AUDIT_ENTRIES_PER_DAY: whole('maxAuditEntriesPerDay', 1_000_000, 1, 1_000_000_000),
  MAX_STREAMS: whole('maxStreams', 20, 1, 1_000_000),
  REVOCATION_FEED: flag('revocationFeed', true),
  RATE_LIMIT_ENABLED: flag('rateLimitEnabled', true),
  RATE_LIMIT_MAX_KEYS: whole('rateLimitMaxKeys', 100_000, 1, 10_000_000),
  RATE_LIMITS: {
    key: 'rateLimits',
    otherwise: limits,
    good: [
      ['token=1/1', { ...limits, token: { points: 1, seconds: 1 } }],
      [
        'api=5/10, signup=7/3600',
        { ...limits, api: { points: 5, seconds: 10 }, signup: { points: 7, seconds: 3600 } },
      ],
    ],
    bad: [
      'token',
      'other=1/1',
      'toString=1/1',
      'token=0/1',
      'token=1/0',
      'token=1/3601',
      'token=-1/1',
      'api=1/1,',
    ],
  },
  BODY_LIMIT: {
    key: 'bodyLimit',
    otherwise: 65_536,
    good: [
      ['1kb', 1024],
      ['10MB', 10_485_760],
      ['2048', 2048],
      ['2048b', 2048],
    ],
    bad: ['1023', '11mb', '1gb', '1.5mb', 'large'],
  },
  CORS_ORIGINS: {
    key: 'corsOrigins',
    otherwise: [],
    good: [['https://a.example, http://b.example:8080', ['https://a.example', 'http://b.example:8080']]],
    bad: ['*', 'a.example', 'https://a.example/', 'https://a.example,'],
  },
  ALLOW_PRIVATE_WEBHOOK_HOSTS: flag('allowPrivateWebhookHosts', false),
  WEBHOOK_MAX_ATTEMPTS: whole('webhookMaxAttempts', 5, 1, 20),
  WEBHOOK_BACKOFF_SECONDS: whole('webhookBackoffSeconds', 30, 1, 86_400),
  WEBHOOK_TIMEOUT_MS: whole('webhookTimeoutMs', 10_000, 100, 60_000),
  RETENTION_DAYS: whole('retentionDays', 30, 1, 3650),
  GRANT_RETENTION_DAYS: whole('grantRetentionDays', 400, 1, 3650),
  AUDIT_RETENTION_DAYS: whole('auditRetentionDays', 0, 0, 3650),
  WEBHOOK_RETENTION_DAYS: whole('webhookRetentionDays', 30, 1, 3650),
  ANOMALY_SCAN_SECONDS: whole('anomalyScanSeconds', 300, 1, 86_400),
  ANOMALY_RATE_OVER: whole('anomalyRateOver', 50, 0, 1_000_000),
  ANOMALY_RATE_FACTOR: whole('anomalyRateFactor', 10, 1, 1000),
  ANOMALY_RATE_WINDOW_MINUTES: whole('anomalyRateWindowMinutes', 60, 1, 1440),
  ANOMALY_RATE_BASELINE_HOURS: whole('anomalyRateBaselineHours', 24, 1, 720),
  ANOMALY_FAILURE_ENTRIES: whole('anomalyFailureEntries', 5, 1, 1_000_000),
  ANOMALY_FAILURE_PERCENT: whole('anomalyFailurePercent', 20, 0, 100),
  ANOMALY_FAILURE_WINDOW_HOURS: whole('anomalyFailureWindowHours', 24, 1, 720),
  ANOMALY_OFF_HOURS_OVER: whole('anomalyOffHoursOver', 10, 0, 1_000_000),
  ANOMALY_OFF_HOURS_START: timeOfDay('anomalyOffHoursStart', '22:00'),
  ANOMALY_OFF_HOURS_END: timeOfDay('anomalyOffHoursEnd', '06:00'),
  ANOMALY_OFF_HOURS_WINDOW_HOURS: whole('anomalyOffHoursWindowHours', 24, 1, 720),
  ANOMALY_CASCADE_MARGIN: whole('anomalyCascadeMargin', 1, 0, 10),
  SHUTDOWN_TIMEOUT_MS: whole('shutdownTimeoutMs', 10_000, 100, 600_000),
  SHUTDOWN_DELAY_MS: whole('shutdownDelayMs', 0, 0, 600_000),
  METRICS_ENABLED: flag('metricsEnabled', true),
  METRICS_HOST: text('metricsHost', null, 1, 255),
  METRICS_PORT: whole('metricsPort', null, 0, 65_535),
  METRICS_API_KEY: key('metricsApiKey', 1, 512),
  METRICS_PER_AGENT: flag('metricsPerAgent', true),
  METRICS_AGENT_NAMES: flag('metricsAgentNames', false),
  METRICS_AGENT_LIMIT: whole('metricsAgentLimit', 500, 1, 10_000),
  LOG_LEVEL: {
    key: 'logLevel',
    otherwise: 'info',
    good: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'].map(
      (level) => [level, level] as const,
    ),
    bad: ['INFO', 'verbose', '30'],
  },
  TRUST_TRACE_CONTEXT: flag('trustTraceContext', false),
  OTEL_CAPTURE_PRINCIPAL: flag('capturePrincipal', false),
};
