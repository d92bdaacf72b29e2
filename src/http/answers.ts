import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** The responses under way on each connection: several when a client sends requests before it has their answers. */
export interface Answers {
  add(response: ServerResponse): void;
  /** The response that is being written. */
  first(socket: Duplex): ServerResponse | undefined;
  /** The response to the latest request. */
  last(socket: Duplex): ServerResponse | undefined;
}

export function createAnswers(): Answers {
  const underWay = new WeakMap<Duplex, Set<ServerResponse>>();
  return {
    add(response) {
      const { socket } = response.req;
      const responses = underWay.get(socket) ?? new Set();
      underWay.set(socket, responses.add(response));
      response.once('close', () => responses.delete(response));
    },
    first: (socket) => underWay.get(socket)?.values().next().value,
    last: (socket) => [...(underWay.get(socket) ?? [])].at(-1),
  };
}

/** A client that kept its connection learns that this is the last answer on it. */
export function closeAfter(response: ServerResponse | undefined): void {
  if (response) response.shouldKeepAlive = false;
}
