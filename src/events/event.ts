import type { EventType } from './event-types.ts';

/** What happened, as webhooks and streams tell it. */
export interface Event {
  /** The same for every way out. */
  readonly id: string;
  readonly type: EventType;
  readonly createdAt: Date;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The JSON text of an event, on one line: the same bytes wherever it is sent. */
export const eventText = ({ id, type, createdAt, data }: Event): string =>
  JSON.stringify({ id, type, createdAt, data });
