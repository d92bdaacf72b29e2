import { type OpenStream, openStream } from '../revocations/follow.ts';
import type { Party } from '../support/flow.ts';
import { type TestService, waitFor } from '../support/service.ts';

/** An event as a client reads it. */
export interface ReadEvent {
  readonly id: string;
  readonly type: string;
  readonly createdAt: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface EventStream extends OpenStream {
  /** The bodies so far, in the order in which they came. */
  read(): ReadEvent[];
}

/** Opens the event stream; `after` is the `Last-Event-ID`. */
export async function openEvents(
  service: Pick<TestService, 'url'>,
  { key }: Pick<Party, 'key'>,
  { types, after }: { types?: string; after?: string | undefined } = {},
): Promise<EventStream> {
  const path = `/v1/events/stream${types === undefined ? '' : `?types=${types}`}`;
  const headers = after === undefined ? {} : { 'last-event-id': after };
  const stream = await openStream(service, path, { key, headers });
  return {
    ...stream,
    read: () =>
      stream.events.flatMap(({ data }) => (data === undefined ? [] : [JSON.parse(data) as ReadEvent])),
  };
}

/** Waits until the stream has brought `count` events. */
export const eventsOnce = (stream: EventStream, count: number): Promise<ReadEvent[]> =>
  waitFor(() => {
    const events = stream.read();
    return events.length >= count ? events : undefined;
  });
