import type { RedisOutcome } from '../label-values.ts';
import type { RedisTelemetry } from '../telemetry/redis.ts';

/** Failures in a row after which Redis is asked no more. */
const FAILURES = 3;
/** After this time a call has failed. */
const TIMEOUT_MS = 250;
const TIMED_OUT = 'ETIMEDOUT';
const CLOSED = 'CONNECTION_CLOSED';

/** Asks Redis while it answers. */
export interface RedisBreaker {
  /** @returns what `call` came to; undefined when it failed, or was not even made: Redis is away */
  ask<T>(call: () => Promise<T>): Promise<T | undefined>;
  /** The connection failed. */
  failed(error: Error): void;
  /** The connection is gone, or could not be made. It may be back at once: the second time in a row is a failure. */
  interrupted(): void;
  /** For how long Redis has been away, in milliseconds; 0: it answers. */
  awayMs(): number;
  /** Calls Redis outside of any request. Redis is back when it answers. */
  probe(): Promise<boolean>;
  /** The service closes Redis itself. Failures from now on are no outage. */
  close(): void;
}

export interface RedisBreakerOptions {
  /** Needs of Redis what limiters need. */
  readonly probe: () => Promise<unknown>;
  /** Called once calls fail although the connection stands. */
  readonly onOpen: () => void;
  readonly telemetry: RedisTelemetry;
  /** Monotonic clock in milliseconds. */
  readonly now?: () => number;
}

/**
 * A circuit breaker. The libraries for it try again with a request, which may then wait for a Redis that hangs; here only
 * probes try again. It starts open: Redis has not answered yet.
 */
export function createRedisBreaker(options: RedisBreakerOptions): RedisBreaker {
  const { telemetry, now = () => performance.now() } = options;
  /** null: Redis answers. */
  let away: Outage | null = { since: now(), countedInMemory: 0, interruptions: 0, reported: false };
  /** Calls that failed since the last one that was answered. */
  let failures = 0;

  const startOutage = () => {
    away ??= { since: now(), countedInMemory: failures, interruptions: 0, reported: false };
    return away;
  };
  const reportLost = (code: string) => {
    const outage = startOutage();
    if (!outage.reported) telemetry.lost({ error: code });
    outage.reported = true;
  };
  const timed = async <T>(call: () => Promise<T>): Promise<T> => {
    const begun = now();
    const end = (outcome: RedisOutcome) => telemetry.called(outcome, (now() - begun) / 1000);
    try {
      const result = await withTimeout(call());
      end('ok');
      return result;
    } catch (error) {
      end(codeOf(error) === TIMED_OUT ? 'timeout' : 'error');
      throw error;
    }
  };

  return {
    async ask(call) {
      if (away === null) {
        try {
          const result = await timed(call);
          failures = 0;
          return result;
        } catch (error) {
          // Many may be under way when Redis hangs: the first ones open it, the others only count.
          failures += 1;
          if (away === null) {
            if (failures >= FAILURES) {
              reportLost(codeOf(error));
              options.onOpen();
            }
            return undefined;
          }
        }
      }
      away.countedInMemory += 1;
      return undefined;
    },
    failed: (error) => reportLost(codeOf(error)),
    interrupted() {
      const outage = startOutage();
      outage.interruptions += 1;
      if (outage.interruptions > 1) reportLost(CLOSED);
    },
    awayMs: () => (away === null ? 0 : now() - away.since),
    async probe() {
      try {
        await timed(options.probe);
      } catch (error) {
        const code = codeOf(error);
        // The failure that prevents a connection reports that there is none. Nothing else does.
        if (code !== CLOSED) reportLost(code);
        return false;
      }
      failures = 0;
      if (away?.reported) {
        const { since, countedInMemory } = away;
        telemetry.restored({ seconds: Math.round(now() - since) / 1000, countedInMemory });
      }
      away = null;
      return true;
    },
    close() {
      startOutage().reported = true;
    },
  };
}

interface Outage {
  readonly since: number;
  countedInMemory: number;
  interruptions: number;
  reported: boolean;
}

/** Fails when `work` is late: not when its answer is there, and this process was busy with something else. */
async function withTimeout<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = Object.assign(new Error('Redis has not answered in time'), { code: TIMED_OUT });
    // Timers come before what has arrived, immediates after it.
    timer = setTimeout(() => setImmediate(reject, error), TIMEOUT_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A code for the log. Messages stay out of it: some name users and keys. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const { code, message, name } = error as NodeJS.ErrnoException;
  if (typeof code === 'string') return code;
  if (message === 'Command timed out') return TIMED_OUT;
  // What Redis refuses with begins with a code: READONLY, OOM, WRONGPASS.
  if (name === 'ReplyError') return /^[A-Z]+\b/.exec(message)?.[0] ?? name;
  if (message.startsWith('All sentinels are unreachable')) return 'SENTINELS_UNREACHABLE';
  return /^(Connection is closed|Stream isn't writeable|Reached the max retries)/.test(message)
    ? CLOSED
    : name;
}
