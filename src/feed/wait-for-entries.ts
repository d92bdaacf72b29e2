import type { ServerResponse } from 'node:http';
import type { Followed, Follower, Subscriber } from './follower.ts';
import type { FeedName, HeldConnections } from './held-connections.ts';

export interface WaitOptions<E> {
  readonly feed: FeedName;
  readonly developerId: string;
  readonly keyHash: Buffer;
  readonly follower: Follower<E & Followed>;
  readonly held: HeldConnections;
  /** The client has everything up to here. */
  readonly after: number;
  readonly waitMs: number;
}

/**
 * Waits for entries of a long poll.
 * @returns the entries, or none when the time is over, the service ends or the client leaves; `upTo`: the client then has
 * everything up to here. null: entries came in between, or the feed is at another place: read them.
 */
export function waitForEntries<E>(
  res: ServerResponse,
  options: WaitOptions<E>,
): Promise<{ readonly entries: readonly E[]; readonly upTo: number } | null> {
  const { follower, held, developerId, after, waitMs } = options;
  return new Promise((resolve) => {
    const end = (entries: readonly E[] | null) => {
      clearTimeout(timer);
      res.off('close', leave);
      follower.unsubscribe(subscriber);
      release();
      resolve(entries && { entries, upTo: subscriber.after });
    };
    const leave = () => end([]);
    const subscriber: Subscriber<E & Followed> = {
      developerId,
      transport: 'poll',
      after,
      take: end,
      behind: () => end(null),
    };
    const timer = setTimeout(leave, waitMs);
    const { feed, keyHash } = options;
    const release = held.hold({
      feed,
      transport: 'poll',
      developerId,
      keyHash,
      beat: () => undefined,
      end: leave,
    });
    res.once('close', leave);
    follower.subscribe(subscriber);
  });
}
