import type { Redis } from 'ioredis';
import type { Config } from '../config.ts';
import { outsideRequests } from '../request-scope.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

/** Redis for the limits that replicas share. It answers at once or is gone without: a limiter never holds up a request. */
export async function openRedis(config: Config, telemetry: Telemetry): Promise<Redis | null> {
  if (!config.rateLimitEnabled) return null;
  if (config.redisUrl === null) {
    telemetry.logger.info({ store: 'memory' }, 'rate_limits.store');
    return null;
  }
  // Only those who share limits pay for the client's memory.
  const { Redis } = await import('ioredis');
  const redis = new Redis(config.redisUrl, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: 250,
    connectTimeout: 2000,
  });
  let told = false;
  redis.on('error', (error) => {
    if (!told) {
      const fields = { error: (error as NodeJS.ErrnoException).code ?? error.message };
      // The one connection serves every request, whichever of them happened to write to it last.
      outsideRequests(() => telemetry.logger.error(fields, 'redis.connection_error'));
    }
    told = true;
  });
  redis.on('ready', () => {
    told = false;
  });
  telemetry.logger.info({ store: 'redis' }, 'rate_limits.store');
  return redis;
}
