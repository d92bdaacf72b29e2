// How the service is reached, where it keeps what it knows, and what it allows.
import { redisUrl } from './redis-url.ts';
import {
  baseUrl,
  bearerKey,
  boolean,
  bytes,
  connectionString,
  duration,
  integer,
  oneOf,
  origins,
  rateLimits,
  secretKey,
  signingKeys,
  string,
  trustProxy,
} from './values.ts';
import { list, optional, secret, variable } from './variable.ts';

export const LISTENER = {
  host: variable(
    'HOST',
    string(1, 255),
    '127.0.0.1',
    'Address to listen on. The container image sets 0.0.0.0.',
  ),
  port: variable(
    'PORT',
    integer(0, 65535),
    '3001',
    'Port to listen on. 0 picks a free one, and the start says which.',
  ),
  publicUrl: optional(
    'PUBLIC_URL',
    baseUrl,
    'Base of consent and dashboard URLs, and issuer of tokens. Unset: `http://localhost:<PORT>`.',
  ),
  trustProxy: variable(
    'TRUST_PROXY',
    trustProxy,
    'false',
    'Proxies whose `X-Forwarded-*` is believed, as Express has it: true, false, a number of hops, or addresses.',
  ),
  keepAliveSeconds: variable(
    'KEEP_ALIVE_SECONDS',
    integer(1, 3600),
    '65',
    'Seconds that an idle connection is kept. Longer than the idle time of the load balancer in front (600 with that of Google).',
  ),
  maxConnections: variable(
    'MAX_CONNECTIONS',
    integer(10, 1_000_000),
    '10000',
    'Most connections at once. Further ones are closed, and counted.',
  ),
  maxConnectionsPerAddress: variable(
    'MAX_CONNECTIONS_PER_ADDRESS',
    integer(1, 1_000_000),
    '2000',
    'The same for one address (of IPv6, for one /64). Proxies that TRUST_PROXY names are not bound by it.',
  ),
  bodyLimit: variable('BODY_LIMIT', bytes, '64kb', 'Greatest request body. A larger one is a 400.'),
  corsOrigins: list(
    'CORS_ORIGINS',
    origins,
    'Origins that browsers may call from, comma separated. Unset: none.',
  ),
  shutdownTimeoutMs: variable(
    'SHUTDOWN_TIMEOUT_MS',
    integer(100, 600_000),
    '10000',
    'Longest time of an orderly shutdown, in milliseconds.',
  ),
  shutdownDelayMs: variable(
    'SHUTDOWN_DELAY_MS',
    integer(0, 600_000),
    '0',
    'How long the service goes on accepting connections after it was told to stop, in milliseconds, while `/health/ready` says 503, so that load balancers notice before a connection is refused. SHUTDOWN_TIMEOUT_MS begins when this is over.',
  ),
};

export const DATABASE_AND_REDIS = {
  databaseUrl: secret(
    optional(
      'DATABASE_URL',
      connectionString,
      'PostgreSQL 14 or newer, in the forms of libpq (docs/database.md has the exceptions): IPv6, sockets, several hosts, and TLS, for example `postgres://user:password@db/grantex?sslmode=verify-full&sslrootcert=/etc/database-ca/ca.crt`. Unset: the embedded one, in DATA_DIR.',
    ),
  ),
  databasePoolMax: variable(
    'DATABASE_POOL_MAX',
    integer(1, 1000),
    '10',
    'Connections for requests. Health and gauges have one more, all work in the background (webhooks, anomalies, removals, the revocation feed and so on) three.',
  ),
  dataDir: variable(
    'DATA_DIR',
    string(1, 4096),
    '.data',
    'Directory of the embedded database and the generated secrets, mode 0700. A `secret-key` that is lost is not replaced: restore it.',
  ),
  migrateOnStart: variable(
    'MIGRATE_ON_START',
    boolean,
    'true',
    'false: the start fails when a migration is missing.',
  ),
  redisUrl: secret(
    optional(
      'REDIS_URL',
      redisUrl,
      'Redis for rate limits that replicas share. Also `rediss://` (TLS) and `redis-sentinel://[user:password@]host:port,host:port/name[?db=0]`. NODE_EXTRA_CA_CERTS names the authority of a private certificate; set it in the environment and not in .env, because Node reads it first. Unset: each replica counts for itself.',
    ),
  ),
};

export const KEYS_AND_TOKENS = {
  secretKey: secret(
    optional(
      'SECRET_KEY',
      secretKey,
      '32 bytes in base64 (`openssl rand -base64 32`). It seals signing keys and webhook secrets, and signs the sessions of principals. Required with DATABASE_URL, but not by `npm run migrate`. Unset: generated in DATA_DIR with the embedded database, and not again when it is lost.',
    ),
  ),
  secretKeyOld: secret(
    optional(
      'SECRET_KEY_OLD',
      secretKey,
      'A second key that also opens what is sealed, and reads sessions of principals, while SECRET_KEY is being replaced (`npm run keys -- reseal`, deploy/README.md). Unset: there is none.',
    ),
  ),
  signingKeys: optional(
    'SIGNING_KEYS_FILE',
    signingKeys,
    'Path of a private JWKS: the first key signs, all are published. Unset: keys are generated and kept, sealed, in the database.',
  ),
  grantTokenMaxSeconds: variable(
    'GRANT_TOKEN_MAX_TTL',
    duration(1, 315_360_000),
    '24h',
    'Longest life of a grant token, as `<n>s`, `<n>m`, `<n>h` or `<n>d`. A refresh gives a new one until the grant ends.',
  ),
  grantTokenType: variable(
    'GRANT_TOKEN_TYPE',
    oneOf(['JWT', 'at+jwt'] as const),
    'JWT',
    '`typ` of grant tokens: JWT, or at+jwt (RFC 9068). Both are accepted, so the value may change at any time.',
  ),
  signingAlgorithm: variable(
    'SIGNING_ALGORITHM',
    oneOf(['RS256', 'ES256'] as const),
    'RS256',
    'Algorithm of the signing keys that are made from now on: RS256, or ES256. Existing keys stay as they are: `npm run keys -- rotate` changes the algorithm.',
  ),
  jwtIssuer: optional('JWT_ISSUER', string(1, 2048), '`iss` of grant tokens. Unset: PUBLIC_URL.'),
  maxDelegationDepth: variable(
    'MAX_DELEGATION_DEPTH',
    integer(0, 10),
    '3',
    'Greatest depth of a delegated grant, 0 to 10.',
  ),
};

export const AUTHORIZATION = {
  requirePkce: variable(
    'REQUIRE_PKCE',
    boolean,
    'false',
    'true: `POST /v1/authorize` without a `codeChallenge` is a 400.',
  ),
  allowHttpRedirects: variable(
    'ALLOW_HTTP_REDIRECTS',
    boolean,
    'false',
    'true: a `redirectUri` may be `http` to any host, and not only to loopback ones (development and tests).',
  ),
};

export const DEVELOPERS = {
  seedApiKey: secret(
    optional(
      'SEED_API_KEY',
      bearerKey(16, 512),
      'API key (16 to 512 visible ASCII characters) of a live developer that the start creates when absent.',
    ),
  ),
  seedSandboxKey: secret(
    optional('SEED_SANDBOX_KEY', bearerKey(16, 512), 'The same for a sandbox developer.'),
  ),
  maxAgents: variable(
    'MAX_AGENTS',
    integer(1, 1_000_000),
    '1000',
    'Most agents of one developer. Beyond it, `POST /v1/agents` is a 402.',
  ),
  maxAuditEntriesPerDay: variable(
    'MAX_AUDIT_ENTRIES_PER_DAY',
    integer(1, 1_000_000_000),
    '1000000',
    'Most audit entries of one developer in a day (UTC). Beyond it, `POST /v1/audit/log` is a 402.',
  ),
  maxStreams: variable(
    'MAX_STREAMS',
    integer(1, 1_000_000),
    '20',
    'Most streams and waiting long polls of one developer on each replica, of revocations and events together. Beyond it, they are a 429.',
  ),
  revocationFeed: variable(
    'REVOCATION_FEED',
    boolean,
    'true',
    'false: the routes of the revocation feed are a 404.',
  ),
  signupEnabled: variable('SIGNUP_ENABLED', boolean, 'true', 'false: `POST /v1/signup` is a 404.'),
};

export const RATE_LIMITS = {
  rateLimitEnabled: variable(
    'RATE_LIMIT_ENABLED',
    boolean,
    'true',
    'false: no limits and no rate-limit headers.',
  ),
  rateLimits: variable(
    'RATE_LIMITS',
    rateLimits,
    'api=1200/60,authorize=600/60,token=600/60,refresh=600/60,verify=6000/60,consent=120/60,signup=20/3600',
    'Points per seconds by name, comma separated; overrides single limits. They count per developer, per principal for session tokens, and per address on public routes and for unknown keys.',
  ),
  rateLimitMaxKeys: variable(
    'RATE_LIMIT_MAX_KEYS',
    integer(1, 10_000_000),
    '100000',
    'Most entries of the limiter in memory. Beyond it, the entry that was used least recently goes.',
  ),
};

export const WEBHOOKS = {
  allowPrivateWebhookHosts: variable(
    'ALLOW_PRIVATE_WEBHOOK_HOSTS',
    boolean,
    'false',
    'true: webhooks may also go to private addresses, by `http` and to any port (development and tests).',
  ),
  webhookMaxAttempts: variable(
    'WEBHOOK_MAX_ATTEMPTS',
    integer(1, 20),
    '5',
    'Attempts of one delivery, the first included.',
  ),
  webhookBackoffSeconds: variable(
    'WEBHOOK_BACKOFF_SECONDS',
    integer(1, 86_400),
    '30',
    'Pause before the second attempt, give or take a quarter. It doubles from then on.',
  ),
  webhookTimeoutMs: variable(
    'WEBHOOK_TIMEOUT_MS',
    integer(100, 60_000),
    '10000',
    'Milliseconds for one whole attempt, from the look-up of the name to the end of the answer.',
  ),
  webhookRetentionDays: variable(
    'WEBHOOK_RETENTION_DAYS',
    integer(1, 3650),
    '30',
    'Deliveries that have ended are removed this many days after their event.',
  ),
};
