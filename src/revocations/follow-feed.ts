import type { Developer, KeyHolder } from '../caller.ts';
import type { Queryable } from '../db/queryable.ts';
import type { Deps } from '../deps.ts';
import { ServiceError, unavailable } from '../errors.ts';
import { frameOf } from '../feed/event-stream.ts';
import { createFollower, type Followed, type Follower } from '../feed/follower.ts';
import type { HeldConnections } from '../feed/held-connections.ts';
import { createNumbering } from '../feed/keep-numbers.ts';
import { refusalOfFeed, refusalOfRoom } from '../feed/readable.ts';
import type { Page } from '../feed/serve-stream.ts';
import { done, isRefused, type Outcome, refuse } from '../outcome.ts';
import { type Entry, entryView } from './entry.ts';
import { entriesAfter, newestEntries, snapshotPage } from './entry-store.ts';
import { forgetExpired, lookAtFeed, numberEntries } from './numbering-store.ts';

const PAGE = 1000;

export type RevocationFollower = Follower<Entry & Followed>;
export type FeedDeps = Pick<Deps, 'db' | 'config' | 'clock' | 'telemetry'> & {
  readonly revocations: RevocationFollower;
  readonly heldConnections: HeldConnections;
};
type Caller = Pick<Developer, 'id'> & KeyHolder;

/** Numbers the entries of the feed, as one of the replicas, and follows it for all clients of this replica. */
export function createRevocationFollower({
  db,
  clock,
  telemetry,
}: Pick<Deps, 'db' | 'clock' | 'telemetry'>): RevocationFollower {
  const now = () => new Date(clock.now());
  const numbering = createNumbering(
    { db },
    {
      async look() {
        const { toRepeat, ...look } = await lookAtFeed(db.background);
        return { ...look, due: look.waitingSeconds !== null || toRepeat };
      },
      number: (tx, limit) => numberEntries(tx, { limit, now: now() }),
      forget: (limit) => forgetExpired(db.background, { now: now(), limit }),
    },
  );
  return createFollower<Entry & Followed>(
    {
      look: numbering.look,
      read: (asked) => newestEntries(db.background, { ...asked, now: now() }),
    },
    (error) => telemetry.events.backgroundWorkFailed({ work: 'revocation_feed', error }),
  );
}

/** One page of a snapshot. */
export interface Snapshot {
  readonly entries: readonly Entry[];
  /** Of the moment of the first page: the feed goes on from here. */
  readonly cursor: number;
  readonly nextPageToken?: string;
}

/** `<cursor>.<last number of the page>`. It opens nothing: a developer sees its own entries only, whatever it holds. */
const TOKEN = /^(\d{1,15})\.(\d{1,15})$/;

/** Whether a text is a `pageToken` of this service. */
export const isPageToken = (text: string): boolean => TOKEN.test(text);

/**
 * All that is revoked or suspended and has not expired, page by page. SERVICE_UNAVAILABLE while the feed cannot be read.
 */
export async function takeSnapshot(
  deps: FeedDeps,
  { id: developerId }: Caller,
  pageToken: string | undefined,
): Promise<Outcome<Snapshot>> {
  const refusal = refusalOfFeed(feedOf(deps));
  if (refusal) return refuse(refusal);
  const [, at, last] = TOKEN.exec(pageToken ?? '') ?? [];
  const { entries, lastSeq } = await snapshotPage(deps.db, {
    developerId,
    after: Number(last ?? 0),
    cursor: at === undefined ? Number.MAX_SAFE_INTEGER : Number(at),
    now: new Date(deps.clock.now()),
    limit: PAGE + 1,
  });
  const shown = entries.slice(0, PAGE);
  const more = entries.length > PAGE;
  return done({
    entries: shown,
    cursor: lastSeq,
    ...(more && { nextPageToken: `${lastSeq}.${shown.at(-1)?.seq ?? 0}` }),
  });
}

/**
 * What came after a cursor. GONE for one that the database has not given: it has lost what it had, and the client needs a new
 * snapshot. SERVICE_UNAVAILABLE as for a snapshot.
 */
export async function readAfter(
  deps: FeedDeps,
  { id: developerId }: Pick<Developer, 'id'>,
  after: number,
  db: Queryable = deps.db,
): Promise<Outcome<Page<Entry>>> {
  const refusal = refusalOfFeed(feedOf(deps));
  if (refusal) return refuse(refusal);
  const now = new Date(deps.clock.now());
  const { entries, lastSeq } = await entriesAfter(db, { developerId, after, now, limit: PAGE });
  if (after > lastSeq)
    return refuse(new ServiceError('GONE', 'The cursor is not one of this feed; take a new snapshot'));
  const more = entries.length === PAGE;
  return done({ entries, upTo: more ? (entries.at(-1)?.seq ?? lastSeq) : lastSeq, more });
}

/** The same, for a connection that is kept open: RATE_LIMITED when the developer has `MAX_STREAMS` on this replica. */
export async function openAfter(
  deps: FeedDeps,
  caller: Caller,
  after: number,
): Promise<Outcome<Page<Entry>>> {
  const page = await readAfter(deps, caller, after);
  if (isRefused(page)) return page;
  const full = refusalOfRoom(feedOf(deps), caller.id);
  return full ? refuse(full) : page;
}

/** The cursor of now, for a stream that names none. */
export async function currentCursor(deps: FeedDeps, { id: developerId }: Caller): Promise<number> {
  const now = new Date(deps.clock.now());
  const asked = { developerId, after: Number.MAX_SAFE_INTEGER, now, limit: 1 };
  return (await entriesAfter(deps.db, asked)).lastSeq;
}

const feedOf = ({ revocations: follower, heldConnections: held }: FeedDeps) => ({ follower, held });

/** For the end of a wait: "nothing came" must not be said while nobody knows. @throws SERVICE_UNAVAILABLE */
export function assertReadable({ revocations, heldConnections }: FeedDeps): void {
  if (!revocations.isCurrent() && !heldConnections.isClosing())
    throw unavailable(new Error('the revocation feed is behind'));
}

/** The frame of an entry. `id` lets a browser's EventSource go on where it was. */
export const entryFrame = (entry: Entry): Buffer =>
  frameOf({ event: 'revocation', id: String(entry.seq), data: JSON.stringify(entryView(entry)) });
