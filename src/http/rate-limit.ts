import type { Redis } from 'ioredis';
import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
} from 'rate-limiter-flexible';
import { LIMITER_NAMES, type LimiterName, type RateLimit } from '../config.ts';
import { ServiceError } from '../errors.ts';
import type { Headers } from './headers.ts';

/**
 * Counts one request of `key` against a limit and adds the `x-ratelimit-*` headers.
 * @returns null, or the whole seconds after which to try again when the limit is used up
 */
export type Limiter = (name: LimiterName, key: string, headers: Headers) => Promise<number | null>;

/** The refusal that goes with a used-up limit; the message's wording is the contract's. */
export const rateLimited = (retryAfter: number) =>
  new ServiceError('RATE_LIMITED', `Rate limit exceeded, retry in ${retryAfter} seconds`);

/**
 * Limits by name, kept in this process, or in Redis where replicas share them. While Redis does not answer, each
 * replica counts for itself: a limiter that fails must neither refuse everybody nor let everybody through.
 */
export function createLimiter(
  limits: Readonly<Record<LimiterName, RateLimit>>,
  redis: Redis | null,
): Limiter {
  const limiters = new Map<LimiterName, RateLimiterAbstract>();
  for (const name of LIMITER_NAMES) {
    const { points, seconds: duration } = limits[name];
    const memory = new RateLimiterMemory({ keyPrefix: name, points, duration });
    limiters.set(
      name,
      redis
        ? new RateLimiterRedis({
            storeClient: redis,
            keyPrefix: `grantex:${name}`,
            points,
            duration,
            insuranceLimiter: memory,
          })
        : memory,
    );
  }

  return async (name, key, headers) => {
    const limiter = limiters.get(name);
    if (!limiter) throw new Error(`no limiter named ${name}`);
    let retryAfter: number | null = null;
    const state = await limiter.consume(key).catch((refusal: unknown) => {
      if (!(refusal instanceof RateLimiterRes)) throw refusal;
      retryAfter = Math.max(1, Math.ceil(refusal.msBeforeNext / 1000));
      return refusal;
    });
    const reset = Math.min(limiter.duration, Math.max(0, Math.ceil(state.msBeforeNext / 1000)));
    headers['x-ratelimit-limit'] = String(limiter.points);
    headers['x-ratelimit-remaining'] = String(Math.max(0, state.remainingPoints));
    headers['x-ratelimit-reset'] = String(reset);
    if (retryAfter !== null) headers['retry-after'] = String(retryAfter);
    return retryAfter;
  };
}
