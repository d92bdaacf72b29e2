import type { ServerResponse } from 'node:http';

/** What may wait in memory for a client that reads slowly. Frames are shared, so many clients do not multiply it. */
const BUFFERED_BYTES = 256 * 1024;
/** How long such a client has to read it. */
const DRAIN_MS = 10_000;

/** The body of a `text/event-stream` (WHATWG HTML §9.2). */
export interface EventStream {
  /** Sends a frame. After the end it does nothing. */
  write(frame: Buffer): void;
  /** More waits for the client than ought to: send nothing before `drained`. */
  isFull(): boolean;
  /** Resolves with true once the client has read what waits, with false when it has not within 10 s or has gone. */
  drained(): Promise<boolean>;
  /** Ends it in order. */
  end(): void;
  /** Ends the connection at once. */
  cut(): void;
}

/** One event. `data` is one line of JSON; a client of the standard drops events without data. */
export const frameOf = (fields: { event?: string; id?: string; data: string }): Buffer => {
  const { event, id, data } = fields;
  const lines = [
    ...(id === undefined ? [] : [`id: ${id}`]),
    ...(event === undefined ? [] : [`event: ${event}`]),
    `data: ${data}`,
  ];
  return Buffer.from(`${lines.join('\n')}\n\n`);
};

/** What a stream says besides its entries. `cursor`: its client has everything up to there. */
export interface StreamSigns {
  /** It begins. */
  ready(cursor: number): Buffer;
  /** It lives, and nothing has come. */
  heartbeat(cursor: number): Buffer;
}

/** As events of their own names. */
export const NAMED_EVENTS: StreamSigns = {
  ready: (cursor) => frameOf({ event: 'ready', data: JSON.stringify({ cursor }) }),
  heartbeat: (cursor) => frameOf({ event: 'heartbeat', data: JSON.stringify({ cursor }) }),
};

const COMMENT = Buffer.from(':\n');
/** As comments, which no client takes for an event. */
export const COMMENTS: StreamSigns = { ready: () => COMMENT, heartbeat: () => COMMENT };

/** Begins the stream. `onClosed` is called once, however it ends. `drainMs` is for tests. */
export function openEventStream(
  res: ServerResponse,
  headers: Readonly<Record<string, string>>,
  onClosed: () => void,
  drainMs = DRAIN_MS,
): EventStream {
  // The end of the stream is the end of the connection: a balancer has nothing to keep, and a shutdown nothing to wait for.
  res.shouldKeepAlive = false;
  res.once('close', onClosed);
  res.writeHead(200, {
    ...headers,
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // nginx would collect frames.
    'x-accel-buffering': 'no',
  });
  const gone = () => res.destroyed || res.writableEnded;
  return {
    write: (frame) => void (gone() || res.write(frame)),
    isFull: () => res.writableLength > BUFFERED_BYTES,
    drained: () =>
      new Promise((resolve) => {
        if (gone()) return resolve(false);
        if (!res.writableNeedDrain) return resolve(true);
        const settle = (read: boolean) => {
          clearTimeout(timer);
          res.off('drain', onDrain);
          res.off('close', onClose);
          resolve(read);
        };
        const onDrain = () => settle(true);
        const onClose = () => settle(false);
        const timer = setTimeout(() => settle(false), drainMs);
        res.once('drain', onDrain);
        res.once('close', onClose);
      }),
    end: () => void (gone() || res.end()),
    cut: () => void res.destroy(),
  };
}
