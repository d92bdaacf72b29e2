import type { Developer } from '../caller.ts';
import type { Queryable } from '../db/queryable.ts';
import type { Deps } from '../deps.ts';
import { ServiceError } from '../errors.ts';
import { frameOf } from '../feed/event-stream.ts';
import { createFollower, type Followed, type Follower } from '../feed/follower.ts';
import type { HeldConnections } from '../feed/held-connections.ts';
import { createNumbering } from '../feed/keep-numbers.ts';
import { refusalOfFeed, refusalOfRoom } from '../feed/readable.ts';
import type { Page } from '../feed/serve-stream.ts';
import { done, isRefused, type Outcome, refuse } from '../outcome.ts';
import { eventText } from './event.ts';
import { eventsAfter, type NumberedEvent, newestEvents, placeOf } from './event-store.ts';
import type { EventType } from './event-types.ts';
import {
  follow48Hours,
  forgetOldEvents,
  lookAtEvents,
  numberEvents,
  renewFollowers,
} from './numbering-store.ts';

/** An event may have several kilobytes, unlike an entry of the revocation feed. */
const PAGE = 200;
const READ_AT_ONCE = 500;
/** While nobody follows here. Another replica, or the first look of somebody who comes, numbers what waits. */
const IDLE_MS = 1000;

export type EventFollower = Follower<NumberedEvent & Followed>;
export type EventDeps = Pick<Deps, 'db' | 'telemetry'> & {
  readonly eventStream: EventFollower;
  readonly heldConnections: HeldConnections;
};
type Caller = Pick<Developer, 'id'>;

/** Numbers events, as one of the replicas, and follows them for all streams of this replica. */
export function createEventFollower(
  { db, telemetry }: Pick<Deps, 'db' | 'telemetry'>,
  heldConnections: Pick<HeldConnections, 'developers'>,
): EventFollower {
  const { background } = db;
  const numbering = createNumbering(
    { db },
    {
      async look() {
        const look = await lookAtEvents(background);
        return { ...look, due: look.waitingSeconds !== null };
      },
      number: numberEvents,
      async forget(limit) {
        await renewFollowers(background, heldConnections.developers('events'));
        return forgetOldEvents(background, limit);
      },
    },
  );
  return createFollower<NumberedEvent & Followed>(
    {
      look: numbering.look,
      read: (asked) => newestEvents(background, asked),
      readAtOnce: READ_AT_ONCE,
      idleMs: IDLE_MS,
    },
    (error) => telemetry.events.backgroundWorkFailed({ work: 'event_stream', error }),
  );
}

/** Where a stream begins, and what it begins with. */
export interface StreamStart {
  readonly after: number;
  readonly first: Page<NumberedEvent>;
}

const feedOf = ({ eventStream: follower, heldConnections: held }: EventDeps) => ({ follower, held });

/**
 * Opens a stream: from now on, or after the event that the reader had last. Events of the developer are kept from now on, so
 * that it can go on after an interruption of up to 24 hours. GONE for an event that is not known, or when something that the
 * reader waits for has been removed since. SERVICE_UNAVAILABLE while the stream cannot be read. RATE_LIMITED when the
 * developer has `MAX_STREAMS` on this replica.
 */
export async function openEvents(
  deps: EventDeps,
  { id: developerId }: Caller,
  { types, lastEventId }: { types: readonly EventType[]; lastEventId: string | undefined },
): Promise<Outcome<StreamStart>> {
  const refusal = refusalOfFeed(feedOf(deps));
  if (refusal) return refuse(refusal);
  await follow48Hours(deps.db, developerId);
  const after =
    lastEventId === undefined
      ? (await eventsAfter(deps.db, { developerId, after: Number.MAX_SAFE_INTEGER, limit: 1 })).lastSeq
      : await placeOf(deps.db, { developerId, id: lastEventId, types });
  if (after === null) return refuse(gone());
  const first = await readEvents(deps, { id: developerId }, after);
  if (isRefused(first)) return first;
  const full = refusalOfRoom(feedOf(deps), developerId);
  return full ? refuse(full) : done({ after, first: first.value });
}

/** What came after a number. GONE for one that the database has not given: it has lost what it had. */
export async function readEvents(
  deps: EventDeps,
  { id: developerId }: Caller,
  after: number,
  db: Queryable = deps.db,
): Promise<Outcome<Page<NumberedEvent>>> {
  const refusal = refusalOfFeed(feedOf(deps));
  if (refusal) return refuse(refusal);
  const { events: entries, lastSeq } = await eventsAfter(db, { developerId, after, limit: PAGE });
  if (after > lastSeq) return refuse(gone());
  const more = entries.length === PAGE;
  return done({ entries, upTo: more ? (entries.at(-1)?.seq ?? lastSeq) : lastSeq, more });
}

const gone = () =>
  new ServiceError(
    'GONE',
    'Last-Event-ID names no event of the last 24 hours; open the stream without it, and read what has changed',
  );

/** The frame of an event. */
export const eventFrame = (event: NumberedEvent): Buffer => frameOf({ id: event.id, data: eventText(event) });
