import type { ServerResponse } from 'node:http';
import { type EventStream, openEventStream, type StreamSigns } from './event-stream.ts';
import type { Followed, Follower, Subscriber } from './follower.ts';
import type { FeedName, HeldConnections } from './held-connections.ts';

/** Without news from the database for so long a stream is ended: its client then asks, and hears that it is so. */
const SILENT_MS = 8000;

/** What came after a number. */
export interface Page<E> {
  readonly entries: readonly E[];
  /** The client has everything up to here once it has these. */
  readonly upTo: number;
  /** There is more. */
  readonly more: boolean;
}

export interface StreamOptions<E> {
  readonly feed: FeedName;
  readonly developerId: string;
  readonly keyHash: Buffer;
  readonly headers: Readonly<Record<string, string>>;
  readonly follower: Follower<E & Followed>;
  readonly held: HeldConnections;
  /** The client has everything up to here. */
  readonly after: number;
  /** What came after it. */
  readonly first: Page<E>;
  /** Throws when the number is not one of this feed's. */
  readonly readAfter: (after: number) => Promise<Page<E>>;
  /** The frames of entries, in their order; null: this client wants none of them. */
  readonly encode: (entries: readonly E[]) => Buffer | null;
  readonly signs: StreamSigns;
  readonly onSlowReader: () => void;
  /** For tests: how long a client has to read what waits. */
  readonly drainMs?: number;
}

/**
 * `encode`, once for each array: the clients of one developer share its entries, and so their frames.
 */
export function shareFrames<E>(frame: (entry: E) => Buffer): (entries: readonly E[]) => Buffer {
  const known = new WeakMap<readonly E[], Buffer>();
  return (entries) => {
    const frames = known.get(entries) ?? Buffer.concat(entries.map(frame));
    known.set(entries, frames);
    return frames;
  };
}

/**
 * Serves one stream until its client leaves: what came since its number, and then what comes. The memory that it takes does not
 * depend on what its client reads: who reads too slowly is read to from the database, and cut when it reads nothing for 10 s.
 */
export function serveStream<E>(res: ServerResponse, options: StreamOptions<E>): void {
  const { follower, held, developerId, encode, readAfter, signs } = options;
  let live = false;
  let currentAt = performance.now();

  const subscriber: Subscriber<E & Followed> = {
    developerId,
    transport: 'stream',
    after: options.after,
    take(entries) {
      send(entries);
      if (!stream.isFull()) return;
      // Not more than this in memory. The rest comes from the database, when the client has read.
      follower.unsubscribe(subscriber);
      void catchUp();
    },
    behind: () => void catchUp(),
  };
  const onClosed = () => {
    follower.unsubscribe(subscriber);
    release();
  };
  const stream: EventStream = openEventStream(res, options.headers, onClosed, options.drainMs);
  const release = held.hold({
    feed: options.feed,
    transport: 'stream',
    developerId,
    keyHash: options.keyHash,
    beat() {
      if (follower.isCurrent()) {
        currentAt = performance.now();
        if (live) stream.write(heartbeat(signs, subscriber.after));
      } else if (performance.now() - currentAt > SILENT_MS) stream.end();
    },
    end: stream.end,
  });

  const send = (entries: readonly E[]) => {
    const frames = entries.length > 0 && encode(entries);
    if (frames) stream.write(frames);
  };
  /** @returns whether the client is there and reads */
  const deliver = async (page: Page<E>): Promise<boolean> => {
    send(page.entries);
    subscriber.after = page.upTo;
    if (await stream.drained()) return true;
    if (!res.destroyed) {
      options.onSlowReader();
      stream.cut();
    }
    return false;
  };
  const catchUp = async (first?: Page<E>) => {
    live = false;
    try {
      if (!first && !(await stream.drained())) {
        if (res.destroyed) return;
        options.onSlowReader();
        return stream.cut();
      }
      let page = first ?? (await readAfter(subscriber.after));
      while (await deliver(page)) {
        if (!page.more) {
          live = true;
          if (!res.destroyed) follower.subscribe(subscriber);
          return;
        }
        page = await readAfter(subscriber.after);
      }
    } catch {
      // The database does not answer, or knows the number no more. The client asks again, and hears which.
      stream.end();
    }
  };

  stream.write(signs.ready(subscriber.after));
  void catchUp(options.first);
}

const lastHeartbeat = new WeakMap<StreamSigns, { readonly cursor: number; readonly frame: Buffer }>();
/** Nearly all streams of a feed have the same. */
function heartbeat(signs: StreamSigns, cursor: number): Buffer {
  const last = lastHeartbeat.get(signs);
  if (last?.cursor === cursor) return last.frame;
  const frame = signs.heartbeat(cursor);
  lastHeartbeat.set(signs, { cursor, frame });
  return frame;
}
