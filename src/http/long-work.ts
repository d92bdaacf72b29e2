import type { Response } from 'express';
import type { Events } from '../telemetry/events.ts';
import { headersOf } from './headers.ts';
import { rateLimited } from './rate-limit.ts';

/** At once, of one developer in one process. */
const MAX_AT_ONCE = 2;
const RETRY_AFTER_SECONDS = 5;

/** One request without a deadline. */
export interface OneLongWork {
  /** Aborted when the caller has left before its answer was sent, or was cut off. */
  readonly signal: AbortSignal;
  /** Counts the work for its developer. @throws RATE_LIMITED when the developer has enough under way */
  begin(developerId: string): void;
  /** Marks its end. */
  end(): void;
}

export type BeginLongWork = (res: Response) => OneLongWork;

/**
 * Counts the work without a deadline that is under way for each developer. Work of minutes would otherwise let one developer
 * hold as much of the service as it has connections.
 */
export function createLongWork(events: Pick<Events, 'rateLimitHit'>): BeginLongWork {
  const underWay = new Map<string, number>();
  const add = (developerId: string, by: 1 | -1) => {
    const count = (underWay.get(developerId) ?? 0) + by;
    if (count > 0) underWay.set(developerId, count);
    else underWay.delete(developerId);
  };
  return (res) => {
    let counted: string | undefined;
    return {
      signal: signalOf(res),
      begin(developerId) {
        if ((underWay.get(developerId) ?? 0) >= MAX_AT_ONCE) {
          const retryAfter = RETRY_AFTER_SECONDS;
          headersOf(res)['retry-after'] = String(retryAfter);
          events.rateLimitHit({ ip: res.req.ip ?? 'unknown', endpoint: 'api', retryAfter });
          throw rateLimited(retryAfter);
        }
        add(developerId, 1);
        counted = developerId;
      },
      end() {
        if (counted !== undefined) add(counted, -1);
        counted = undefined;
      },
    };
  };
}

function signalOf(res: Response): AbortSignal {
  const leaving = new AbortController();
  res.once('close', () => {
    if (!res.writableFinished) leaving.abort(new Error('the caller has left'));
  });
  return leaving.signal;
}
