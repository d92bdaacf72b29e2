import type { ServerResponse } from 'node:http';
import { type Received, type Receiver, startReceiver } from '../webhooks/receiver.ts';

/** The type of an event, and its grant or token. */
export const subjectOf = ({ body: { type, data } }: Pick<Received, 'body'>): string =>
  `${type} ${type === 'token.issued' ? data.tokenId : data.grantId}`;

/** A receiver that counts the requests for each event. */
export interface CountingReceiver extends Receiver {
  /** The number of requests by event id. */
  readonly requests: ReadonlyMap<string, number>;
}

/** @param behaviour gets the number of the attempt for the event, from 1 */
export async function startCountingReceiver(
  behaviour: (response: ServerResponse, attempt: number, received: Received) => void,
): Promise<CountingReceiver> {
  const requests = new Map<string, number>();
  const receiver = await startReceiver((response, _, received) => {
    const { id } = received.body;
    const attempt = (requests.get(id) ?? 0) + 1;
    requests.set(id, attempt);
    behaviour(response, attempt, received);
  });
  return { ...receiver, requests };
}
