import type { ServerResponse } from 'node:http';
import { type Received, type Receiver, startReceiver } from '../webhooks/receiver.ts';

/** The kind of an event, and the grant or token that it is about. */
export const subjectOf = ({ body: { type, data } }: Pick<Received, 'body'>): string =>
  `${type} ${type === 'token.issued' ? data.tokenId : data.grantId}`;

/** A receiver that knows how often it was asked about each event. */
export interface TallyingReceiver extends Receiver {
  /** Requests by event id. */
  readonly requests: ReadonlyMap<string, number>;
}

/** @param behaviour is told which attempt at its event a request is, from 1 */
export async function startTallyingReceiver(
  behaviour: (response: ServerResponse, attempt: number, received: Received) => void,
): Promise<TallyingReceiver> {
  const requests = new Map<string, number>();
  const receiver = await startReceiver((response, _, received) => {
    const { id } = received.body;
    const attempt = (requests.get(id) ?? 0) + 1;
    requests.set(id, attempt);
    behaviour(response, attempt, received);
  });
  return { ...receiver, requests };
}
