import { type ServiceError, TooManyError, unavailable } from '../errors.ts';
import type { Followed, Follower } from './follower.ts';
import type { HeldConnections } from './held-connections.ts';

/** Seconds after which a place may be free. */
const TRY_AGAIN_SECONDS = 5;

/** A feed of this replica. */
export interface ReadableFeed {
  readonly follower: Pick<Follower<Followed>, 'isCurrent'>;
  readonly held: Pick<HeldConnections, 'isClosing' | 'hasRoom'>;
}

/** SERVICE_UNAVAILABLE while the service ends, or nobody knows what has come; null: the feed can be read. */
export function refusalOfFeed({ follower, held }: ReadableFeed): ServiceError | null {
  if (held.isClosing()) return unavailable(new Error('the service ends'));
  return follower.isCurrent() ? null : unavailable(new Error('the feed is behind'));
}

/** RATE_LIMITED when the developer has `MAX_STREAMS` on this replica. */
export const refusalOfRoom = ({ held }: ReadableFeed, developerId: string): ServiceError | null =>
  held.hasRoom(developerId) ? null : new TooManyError(TRY_AGAIN_SECONDS);
