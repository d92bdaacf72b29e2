import type { Request, Response } from 'express';
import type { Principal } from '../caller.ts';
import type { LimiterName } from '../config.ts';
import { TooManyError } from '../errors.ts';
import { isRefused, type Outcome } from '../outcome.ts';
import type { Events } from '../telemetry/events.ts';
import type { Bearer } from './bearer.ts';
import { headersOf } from './headers.ts';
import type { KnownKeys } from './known-keys.ts';
import type { Limiter } from './rate-limit.ts';
import { rateLimitKeyOf, rateLimitKeyOfPrincipal } from './rate-limit-key.ts';

export interface CountDeps {
  readonly events: Pick<Events, 'rateLimitHit'>;
  /** null: no limits and no rate-limit headers. */
  readonly limit: Limiter | null;
  readonly knownKeys: KnownKeys;
}

interface Limited {
  readonly req: Request;
  readonly res: Response;
  readonly bearer: Bearer | null;
  readonly session: Outcome<Principal> | null;
}

/**
 * Counts the request for its principal, or for the developer of its key. Others count for their address, before the database
 * is asked anything.
 * @returns null, or for a key that is not known yet: counts the request for the developer once the key is looked up
 * @throws RATE_LIMITED
 */
export async function countRequest(
  name: LimiterName | null,
  { limit, events, knownKeys }: CountDeps,
  { req, res, bearer, session }: Limited,
): Promise<((developerId: string) => Promise<void>) | null> {
  if (!limit || !name) return null;
  const ip = req.ip ?? 'unknown';
  const count = async (key: string) => {
    const retryAfter = await limit(name, key, headersOf(res));
    if (retryAfter === null) return;
    events.rateLimitHit({ ip, endpoint: name, retryAfter });
    throw new TooManyError(retryAfter);
  };
  const address = rateLimitKeyOf(ip);
  if (!bearer) await count(address);
  else if (session) await count(isRefused(session) ? address : rateLimitKeyOfPrincipal(session.value));
  else {
    const developerId = knownKeys.developerOf(bearer);
    await count(developerId ?? address);
    if (developerId === undefined)
      return (found) => {
        knownKeys.add(bearer, found);
        return count(found);
      };
  }
  return null;
}
