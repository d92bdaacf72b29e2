import type { RedisOutcome } from '../label-values.ts';
import { outsideRequests } from '../request-scope.ts';
import type { Instruments } from './instruments.ts';
import type { Logger } from './logger.ts';

/** What there is to say about Redis. None of it ever throws. */
export interface RedisTelemetry {
  /** One call of Redis is over. */
  called(outcome: RedisOutcome, seconds: number): void;
  /** Redis is away: told once, until it is back. `error` is a code. */
  lost(event: { readonly error: string }): void;
  /** It is back. */
  restored(event: { readonly seconds: number; readonly countedInMemory: number }): void;
}

/** One connection serves every request, so the lines belong to none. */
export function createRedisTelemetry({ guard, redisDuration }: Instruments, logger: Logger): RedisTelemetry {
  return {
    called: (outcome, seconds) => guard.run(() => redisDuration.record(seconds, { outcome })),
    lost: ({ error }) =>
      guard.run(() => outsideRequests(() => logger.error({ error }, 'redis.connection_error'))),
    restored: ({ seconds, countedInMemory }) =>
      guard.run(() =>
        outsideRequests(() => logger.info({ seconds, countedInMemory }, 'redis.connection_restored')),
      ),
  };
}
