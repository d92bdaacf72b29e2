/**
 * Feeds: numbered entries that many clients follow. `follower.ts` looks at a feed once for all clients of a replica,
 * `held-connections.ts` keeps their connections, `event-stream.ts` is the wire format of streams (WHATWG HTML §9.2).
 * `keep-numbers.ts` and `numbering-store.ts` number what statements wrote. Table: `feed_positions`; each feed brings the others. `revocations` and `events` have the feeds.
 */
import { type BackgroundLoop, createBackgroundLoop } from '../background-loop.ts';
import type { Transport } from '../label-values.ts';

/** How soon an entry with a number is noticed. */
const LOOK_EVERY_MS = 200;
/** After a look that failed: a line of the log each time. */
const RETRY_MS = 1000;
const READ_AT_ONCE = 2000;
/** Without a look for so long, or with an entry waiting for its number, clients must not believe that nothing happens. */
const CURRENT_MS = 5000;
/** For the greatest age of an entry. */
const REMEMBER_MS = 60_000;

/** What every entry of a feed has. */
export interface Followed {
  readonly seq: number;
  readonly developerId: string;
  /** How long ago it was written, by the clock of the database. */
  readonly ageSeconds: number;
}

/** Where a feed comes from. */
export interface FeedSource<E extends Followed> {
  /** The last number, and how long the oldest entry has waited for one. `more`: another look at once is worth while. */
  look(): Promise<{
    readonly lastSeq: number;
    readonly waitingSeconds: number | null;
    readonly more: boolean;
  }>;
  /** The first `limit` entries of these developers in (`after`, `until`]. */
  read(asked: { after: number; until: number; developerIds: readonly string[]; limit: number }): Promise<E[]>;
  /** Default 2000. */
  readonly readAtOnce?: number;
  /** How soon an entry is noticed while nobody follows here, in milliseconds. Default: as soon as ever. */
  readonly idleMs?: number;
}

/** Somebody who follows a feed. */
export interface Subscriber<E extends Followed> {
  readonly developerId: string;
  readonly transport: Transport;
  /** It has all entries up to this number. The follower moves it on. */
  after: number;
  /** Takes new entries, in their order. `shared` is the same array for all subscribers that take the same entries. */
  take(shared: readonly E[]): void;
  /** It does not follow any more, because the feed is not where it thinks: read what came since, and subscribe again. */
  behind(): void;
}

export interface Follower<E extends Followed> extends BackgroundLoop {
  /** From the next look on, `subscriber` takes every entry of its developer after its number, once. */
  subscribe(subscriber: Subscriber<E>): void;
  /** It takes nothing any more. */
  unsubscribe(subscriber: Subscriber<E>): void;
  /** Whether subscribers have all that was committed until a moment ago. */
  isCurrent(): boolean;
  /**
   * The greatest age of an entry when clients of the transport took it in the last minute, or of one that they have not taken
   * yet, in seconds; 0: none.
   */
  lagSeconds(transport: Transport): number;
}

/** Looks at a feed from its start to its stop, whether or not anybody follows. */
export function createFollower<E extends Followed>(
  source: FeedSource<E>,
  onError: (error: unknown) => void,
): Follower<E> {
  const { readAtOnce = READ_AT_ONCE, idleMs = LOOK_EVERY_MS } = source;
  const live = new Map<string, Set<Subscriber<E>>>();
  const joining = new Set<Subscriber<E>>();
  /** Live subscribers have taken all entries up to here. Only a look moves it. */
  let position = 0;
  let lookedAt = performance.now();
  let waitingSeconds: number | null = null;
  const ages = { poll: createGreatest(), stream: createGreatest() };

  const join = () => {
    for (const subscriber of joining) {
      joining.delete(subscriber);
      if (subscriber.after < position) subscriber.behind();
      else live.set(subscriber.developerId, (live.get(subscriber.developerId) ?? new Set()).add(subscriber));
    }
  };
  const handOut = (developerId: string, entries: readonly E[]) => {
    const oldest = entries.reduce((greatest, { ageSeconds }) => Math.max(greatest, ageSeconds), 0);
    for (const subscriber of live.get(developerId) ?? []) {
      const { after } = subscriber;
      const fresh = (entries[0]?.seq ?? 0) > after ? entries : entries.filter(({ seq }) => seq > after);
      if (fresh.length === 0) continue;
      subscriber.after = fresh.at(-1)?.seq ?? after;
      subscriber.take(fresh);
      ages[subscriber.transport].add(oldest);
    }
  };
  const sendAway = () => {
    for (const subscriber of [...live.values()].flatMap((of) => [...of])) subscriber.behind();
    live.clear();
  };
  /** @returns whether this reached `until` */
  const readUntil = async (until: number): Promise<boolean> => {
    const rows = await source.read({
      after: position,
      until,
      developerIds: [...live.keys()],
      limit: readAtOnce,
    });
    for (const [developerId, entries] of Map.groupBy(rows, (row) => row.developerId))
      handOut(developerId, entries);
    const whole = rows.length < readAtOnce;
    position = whole ? until : (rows.at(-1)?.seq ?? until);
    return whole;
  };
  const step = async (): Promise<number> => {
    const begun = performance.now();
    join();
    const look = await source.look();
    // Nobody follows, or the database has lost what it had: then nobody knows what its numbers mean.
    if (look.lastSeq < position) sendAway();
    if (live.size === 0) position = look.lastSeq;
    let whole = look.lastSeq <= position;
    while (!whole) whole = await readUntil(look.lastSeq);
    for (const subscribers of live.values())
      for (const subscriber of subscribers) subscriber.after = Math.max(subscriber.after, position);
    lookedAt = begun;
    waitingSeconds = look.waitingSeconds;
    if (look.more) return 0;
    return live.size + joining.size > 0 ? LOOK_EVERY_MS : idleMs;
  };

  const loop = createBackgroundLoop({ step, retryMs: RETRY_MS, onError });
  const sinceLook = () => performance.now() - lookedAt;
  return {
    ...loop,
    start() {
      lookedAt = performance.now();
      loop.start();
    },
    subscribe: (subscriber) => void joining.add(subscriber),
    unsubscribe(subscriber) {
      joining.delete(subscriber);
      const { developerId } = subscriber;
      const others = live.get(developerId);
      others?.delete(subscriber);
      if (others?.size === 0) live.delete(developerId);
    },
    isCurrent: () => sinceLook() < CURRENT_MS && (waitingSeconds ?? 0) * 1000 < CURRENT_MS,
    lagSeconds(transport) {
      // Nothing is known of what was written since the last look.
      const unknown = Math.max(0, sinceLook() - 5 * LOOK_EVERY_MS) / 1000;
      const waiting = waitingSeconds === null ? 0 : waitingSeconds + sinceLook() / 1000;
      return Math.max(ages[transport].greatest(), waiting, unknown);
    },
  };
}

/** The greatest of the values of the last minute. */
function createGreatest() {
  let values: { readonly at: number; readonly value: number }[] = [];
  return {
    add(value: number) {
      const at = performance.now();
      // A value that a later, greater one follows is never the greatest again.
      values = values.filter((one) => one.value > value && at - one.at < REMEMBER_MS);
      values.push({ at, value });
    },
    greatest: () => {
      const now = performance.now();
      return values.find(({ at }) => now - at < REMEMBER_MS)?.value ?? 0;
    },
  };
}
