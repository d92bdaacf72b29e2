import { createBackgroundLoop } from '../background-loop.ts';
import type { Transport } from '../label-values.ts';

const BEAT_MS = 1000;
const CHECK_KEYS_EVERY_MS = 2000;

export type FeedName = 'revocations' | 'events';

/** A connection that is kept open for what is still to come. */
export interface HeldConnection {
  readonly feed: FeedName;
  readonly transport: Transport;
  readonly developerId: string;
  /** SHA-256 of the API key that opened it. */
  readonly keyHash: Buffer;
  /** Called every second. */
  beat(): void;
  /** The service ends, or the key is not valid any more: end it in order. */
  end(): void;
}

/** The connections that this replica keeps open, of all developers. */
export interface HeldConnections {
  /** Whether the developer may open another one on this replica. */
  hasRoom(developerId: string): boolean;
  /** Not any more: the service ends. */
  isClosing(): boolean;
  /** Keeps a connection until the returned function is called. */
  hold(connection: HeldConnection): () => void;
  count(feed: FeedName, transport: Transport): number;
  /** Those who follow a feed on this replica. */
  developers(feed: FeedName): readonly string[];
  start(): void;
  /** Ends all of them, at once. */
  close(): void;
}

/**
 * @param max of one developer
 * @param isValid whether the key is still that of the developer; what it throws is ignored, and asked again
 */
export function createHeldConnections({
  max,
  isValid,
}: {
  max: number;
  isValid: (holder: { keyHash: Buffer; developerId: string }) => Promise<boolean>;
}): HeldConnections {
  const held = new Set<HeldConnection>();
  const ofDeveloper = new Map<string, number>();
  let closing = false;
  let beats: NodeJS.Timeout | undefined;

  const checkKeys = async () => {
    const byKey = Map.groupBy(held, ({ keyHash }) => keyHash.toString('base64'));
    for (const connections of byKey.values()) {
      const [first] = connections;
      // Without a database nobody can tell. The feed itself tells its clients then.
      if (first && !(await isValid(first).catch(() => true)))
        for (const connection of connections) connection.end();
    }
    return CHECK_KEYS_EVERY_MS;
  };
  const keys = createBackgroundLoop({
    step: checkKeys,
    retryMs: CHECK_KEYS_EVERY_MS,
    onError: () => undefined,
  });

  return {
    hasRoom: (developerId) => (ofDeveloper.get(developerId) ?? 0) < max,
    isClosing: () => closing,
    hold(connection) {
      const { developerId } = connection;
      held.add(connection);
      if (closing) queueMicrotask(() => connection.end());
      ofDeveloper.set(developerId, (ofDeveloper.get(developerId) ?? 0) + 1);
      return () => {
        if (!held.delete(connection)) return;
        const left = (ofDeveloper.get(developerId) ?? 1) - 1;
        if (left > 0) ofDeveloper.set(developerId, left);
        else ofDeveloper.delete(developerId);
      };
    },
    count: (feed, transport) => {
      let count = 0;
      for (const one of held) if (one.feed === feed && one.transport === transport) count += 1;
      return count;
    },
    developers: (feed) => [
      ...new Set([...held].filter((one) => one.feed === feed).map(({ developerId }) => developerId)),
    ],
    start() {
      keys.start();
      beats = setInterval(() => {
        for (const connection of held) connection.beat();
      }, BEAT_MS);
    },
    close() {
      closing = true;
      clearInterval(beats);
      void keys.stop(0);
      for (const connection of held) connection.end();
    },
  };
}
