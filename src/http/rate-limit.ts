import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { LIMITER_NAMES, type LimiterName, type RateLimit } from '../config.ts';
import type { Headers } from './headers.ts';
import { type Counted, createMemoryCounter } from './memory-counter.ts';
import type { SharedStore } from './redis.ts';

/**
 * Counts one request of `key` against a limit and adds the `x-ratelimit-*` headers.
 * @returns null, or the whole seconds after which to try again when the limit is used up
 */
export type Limiter = (name: LimiterName, key: string, headers: Headers) => Promise<number | null>;

/**
 * Limits by name, kept in this process for at most `maxKeys` keys, or in Redis where replicas share them. While Redis does not
 * answer, each replica counts for itself: a limiter that fails must neither refuse everybody nor let everybody through.
 */
export function createLimiter(
  limits: Readonly<Record<LimiterName, RateLimit>>,
  maxKeys: number,
  redis: SharedStore | null,
): Limiter {
  const countHere = createMemoryCounter(maxKeys);
  const shared =
    redis && new Map(LIMITER_NAMES.map((name) => [name, createSharedCounter(name, limits[name], redis)]));

  return async (name, key, headers) => {
    const { points, seconds } = limits[name];
    const { consumedPoints, msBeforeNext } =
      (await shared?.get(name)?.(key)) ?? countHere(`${name}:${key}`, seconds);
    headers['x-ratelimit-limit'] = String(points);
    headers['x-ratelimit-remaining'] = String(Math.max(0, points - consumedPoints));
    headers['x-ratelimit-reset'] = String(Math.min(seconds, Math.max(0, Math.ceil(msBeforeNext / 1000))));
    if (consumedPoints <= points) return null;
    return Math.max(1, Math.ceil(msBeforeNext / 1000));
  };
}

/** Counts one request of a key in Redis; undefined while Redis does not answer. */
function createSharedCounter(
  name: LimiterName,
  { points, seconds: duration }: RateLimit,
  redis: SharedStore,
): (key: string) => Promise<Counted | undefined> {
  const limiter = new RateLimiterRedis({
    storeClient: redis.client,
    keyPrefix: `grantex:${name}`,
    points,
    duration,
  });
  return (key) =>
    redis.ask(() =>
      limiter.consume(key).catch((refusal: unknown) => {
        // A used-up limit is an answer too.
        if (refusal instanceof RateLimiterRes) return refusal;
        throw refusal;
      }),
    );
}
