import type { Redis } from 'ioredis';
import type { Config } from '../config.ts';
import { outsideRequests } from '../request-scope.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { createRedisBreaker, type RedisBreaker } from './redis-breaker.ts';

/** Redis for the limits that replicas share. */
export interface SharedStore extends Pick<RedisBreaker, 'ask'> {
  readonly client: Redis;
  /** At once, whatever Redis does. */
  close(): void;
}

/** Between two probes while Redis is away; also the longest pause between two attempts to connect. */
const PROBE_MS = 1000;
/** Needs what a limiter needs: a script that may write. */
const PROBE_SCRIPT = "return redis.call('set', KEYS[1], '1', 'EX', '1')";
const PROBE_KEY = 'grantex:probe';

/**
 * Opens Redis where it is configured, and does not wait for it. A limiter never holds up a request: Redis answers at once
 * or is gone without.
 */
export async function openRedis(config: Config, telemetry: Telemetry): Promise<SharedStore | null> {
  if (!config.rateLimitEnabled) return null;
  if (config.redisUrl === null) {
    telemetry.logger.info({ store: 'memory' }, 'rate_limits.store');
    return null;
  }
  // Only those who share limits pay for the client's memory.
  const { Redis } = await import('ioredis');
  const { db = 0 } = config.redisUrl;
  const client = new Redis({
    ...config.redisUrl,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    // For what the client itself asks when it connects; the breaker gives calls less.
    commandTimeout: 2000,
    connectTimeout: 2000,
    sentinelCommandTimeout: 1000,
    // A Redis that hangs does not end a connection from its side.
    disconnectTimeout: 50,
    retryStrategy: (attempt) => Math.min(attempt * 100, PROBE_MS),
    sentinelRetryStrategy: (attempt) => Math.min(attempt * 100, PROBE_MS),
  });
  /** Perhaps only the connection hangs, or this server is no longer the primary. A new connection may help. */
  const reconnect = () => {
    if (client.status === 'ready') outsideRequests(() => client.disconnect(true));
  };
  const breaker = createRedisBreaker({
    telemetry: telemetry.redis,
    async probe() {
      // The client goes on in database 0 when the one of the URL is not there.
      await client.select(db);
      await client.eval(PROBE_SCRIPT, 1, PROBE_KEY);
    },
    onOpen: reconnect,
  });
  client.on('error', breaker.failed);
  client.on('close', breaker.interrupted);
  client.on('ready', breaker.probe);
  const timer = setInterval(async () => {
    // The client has connected again within this time where nothing is wrong.
    if (breaker.awayMs() >= PROBE_MS && !(await breaker.probe())) reconnect();
  }, PROBE_MS);
  timer.unref();
  telemetry.logger.info({ store: 'redis' }, 'rate_limits.store');
  return {
    client,
    ask: breaker.ask,
    close() {
      clearInterval(timer);
      breaker.close();
      client.disconnect();
    },
  };
}
