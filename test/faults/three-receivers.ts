import type { Received } from '../webhooks/receiver.ts';
import { startTallyingReceiver } from './tallying-receiver.ts';

export const MAX_ATTEMPTS = 3;
const SLOW_MS = 20;

/** Every `n`-th event; the same at each attempt, and spread over all kinds of events. */
const oneIn = (n: number, { body }: Received) => Number.parseInt(body.id.slice(-4), 16) % n === 0;

/** Three receivers: what each wants to hear, how it answers, and what must therefore become of an event. */
export const RECEIVERS = [
  {
    name: 'good',
    events: ['grant.created', 'grant.revoked', 'token.issued'],
    start: () => startTallyingReceiver((response) => void response.writeHead(204).end()),
    fate: () => ({ status: 'delivered', attempts: 1 }),
  },
  {
    // Has trouble with each tenth event at first, and with one of a hundred for ever.
    name: 'failing',
    events: ['token.issued'],
    start: () =>
      startTallyingReceiver((response, attempt, event) => {
        const trouble = oneIn(100, event) || (oneIn(10, event) && attempt === 1);
        response.writeHead(trouble ? 500 : 200).end();
      }),
    fate: (event: Received) => {
      if (oneIn(100, event)) return { status: 'failed', attempts: MAX_ATTEMPTS };
      return { status: 'delivered', attempts: oneIn(10, event) ? 2 : 1 };
    },
  },
  {
    // Takes its time, and says of one event in a hundred that it is gone.
    name: 'slow',
    events: ['grant.created'],
    start: () =>
      startTallyingReceiver((response, _, event) => {
        setTimeout(() => void response.writeHead(oneIn(100, event) ? 410 : 200).end(), SLOW_MS);
      }),
    fate: (event: Received) => ({ status: oneIn(100, event) ? 'failed' : 'delivered', attempts: 1 }),
  },
] as const;
