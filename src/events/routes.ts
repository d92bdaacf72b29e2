/**
 * Events: what happened to grants and tokens, told by webhooks and by the stream of this room. `outbox-store.ts` has the parts of
 * the statements that write them. Tables: `event_outbox`, `events`, `removed_events`, `event_followers`, and the row of
 * `feed_positions`. `numbering-store.ts` numbers and removes events, `event-store.ts` reads them. `grants` and `tokens` use the
 * outbox, `webhooks` the form of an event.
 */
import { Type } from 'typebox';
import { badRequest } from '../errors.ts';
import { COMMENTS } from '../feed/event-stream.ts';
import { serveStream, shareFrames } from '../feed/serve-stream.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { headersOf } from '../http/headers.ts';
import type { Reply } from '../http/reply.ts';
import { isRefused, mapOutcome } from '../outcome.ts';
import type { NumberedEvent } from './event-store.ts';
import { EVENT_TYPES, type EventType } from './event-types.ts';
import { type EventDeps, eventFrame, openEvents, readEvents } from './follow-events.ts';

/** The types that a text names, in the order of the catalogue; all of them where it names none. null: it names another one. */
function typesOf(text: string): readonly EventType[] | null {
  const named = text.split(',').filter((name) => name !== '');
  const types = EVENT_TYPES.filter((type) => named.includes(type));
  if (named.some((name) => !EVENT_TYPES.some((type) => type === name))) return null;
  return types.length === 0 ? EVENT_TYPES : types;
}

type Encode = (events: readonly NumberedEvent[]) => Buffer | null;

/** Frames of some types. Streams of the same types share them. */
function createEncoders(): (types: readonly EventType[]) => Encode {
  const known = new Map<string, Encode>();
  return (types) => {
    const key = types.join();
    const encode = known.get(key) ?? encoderOf(types);
    known.set(key, encode);
    return encode;
  };
}

function encoderOf(types: readonly EventType[]): Encode {
  const share = shareFrames((event: NumberedEvent) =>
    types.includes(event.type) ? eventFrame(event) : NOTHING,
  );
  return (events) => {
    const frames = share(events);
    return frames.length > 0 ? frames : null;
  };
}
const NOTHING = Buffer.alloc(0);

export const eventRoutes = (deps: EventDeps): Endpoint[] => {
  const encoders = createEncoders();
  const { eventStream: follower, heldConnections: held } = deps;
  const { background } = deps.db;
  return [
    endpoint({
      method: 'get',
      path: '/v1/events/stream',
      summary: 'Each event that a webhook would get, as it happens; `Last-Event-ID` goes on after an event',
      access: 'developer',
      limit: 'api',
      eventStream: true,
      query: Type.Object({
        types: Type.String({
          default: '',
          maxLength: 200,
          description: `Some of ${EVENT_TYPES.join(', ')}, separated by commas; absent: all`,
        }),
      }),
      check: ({ query: { types } }) =>
        typesOf(types) ? null : badRequest(`types may be ${EVENT_TYPES.join(', ')}, separated by commas`),
      responses: { 200: Type.String() },
      async handle({ caller, query, header }) {
        const { id: developerId, keyHash } = caller;
        const types = typesOf(query.types) ?? EVENT_TYPES;
        const lastEventId = header('last-event-id') || undefined;
        const opened = await openEvents(deps, caller, { types, lastEventId });
        return mapOutcome(
          opened,
          ({ after, first }): Reply => ({
            status: 200,
            headers: { 'content-type': 'text/event-stream; charset=utf-8' },
            takeOver: (_req, res) =>
              serveStream<NumberedEvent>(res, {
                feed: 'events',
                developerId,
                keyHash,
                headers: headersOf(res),
                follower,
                held,
                after,
                first,
                async readAfter(from) {
                  const next = await readEvents(deps, caller, from, background);
                  if (isRefused(next)) throw next.refusal;
                  return next.value;
                },
                encode: encoders(types),
                signs: COMMENTS,
                onSlowReader: () => deps.telemetry.events.connectionClosed({ reason: 'slow_reader' }),
              }),
          }),
        );
      },
    }),
  ];
};
