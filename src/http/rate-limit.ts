import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
} from 'rate-limiter-flexible';
import { LIMITER_NAMES, type LimiterName, type RateLimit } from '../config.ts';
import { ServiceError } from '../errors.ts';
import type { Headers } from './headers.ts';
import type { SharedStore } from './redis.ts';

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
  redis: SharedStore | null,
): Limiter {
  const limiters = new Map(
    LIMITER_NAMES.map((name) => [name, createCounter(name, limits[name], redis)] as const),
  );

  return async (name, key, headers) => {
    const count = limiters.get(name);
    if (!count) throw new Error(`no limiter named ${name}`);
    const { points, seconds } = limits[name];
    const state = await count(key);
    const reset = Math.min(seconds, Math.max(0, Math.ceil(state.msBeforeNext / 1000)));
    headers['x-ratelimit-limit'] = String(points);
    headers['x-ratelimit-remaining'] = String(Math.max(0, state.remainingPoints));
    headers['x-ratelimit-reset'] = String(reset);
    if (state.consumedPoints <= points) return null;
    const retryAfter = Math.max(1, Math.ceil(state.msBeforeNext / 1000));
    headers['retry-after'] = String(retryAfter);
    return retryAfter;
  };
}

/** Counts one request of a key, and tells how far the limit is used up. */
function createCounter(
  name: LimiterName,
  { points, seconds: duration }: RateLimit,
  redis: SharedStore | null,
): (key: string) => Promise<RateLimiterRes> {
  const memory = new RateLimiterMemory({ keyPrefix: name, points, duration });
  if (!redis) return (key) => countIn(memory, key);
  const shared = new RateLimiterRedis({
    storeClient: redis.client,
    keyPrefix: `grantex:${name}`,
    points,
    duration,
  });
  return async (key) => (await redis.ask(() => countIn(shared, key))) ?? countIn(memory, key);
}

/** A limit that is used up is an answer, too. */
const countIn = (limiter: RateLimiterAbstract, key: string): Promise<RateLimiterRes> =>
  limiter.consume(key).catch((refusal: unknown) => {
    if (refusal instanceof RateLimiterRes) return refusal;
    throw refusal;
  });
