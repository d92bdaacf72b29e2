import type { Received } from '../webhooks/receiver.ts';
import { startCountingReceiver } from './counting-receiver.ts';

export const MAX_ATTEMPTS = 3;
const SLOW_MS = 20;

/** Selects every `n`-th event. The choice is the same at each attempt and spread over all types of events. */
const oneIn = (n: number, { body }: Received) => Number.parseInt(body.id.slice(-4), 16) % n === 0;

/** Three receivers with the events that they want, their answers, and the expected outcome of each event. */
export const RECEIVERS = [
  {
    name: 'good',
    events: ['grant.created', 'grant.revoked', 'token.issued'],
    start: () => startCountingReceiver((response) => void response.writeHead(204).end()),
    fate: () => ({ status: 'delivered', attempts: 1 }),
  },
  {
    // First refuses every tenth event, and always refuses one event in a hundred.
    name: 'failing',
    events: ['token.issued'],
    start: () =>
      startCountingReceiver((response, attempt, event) => {
        const trouble = oneIn(100, event) || (oneIn(10, event) && attempt === 1);
        response.writeHead(trouble ? 500 : 200).end();
      }),
    fate: (event: Received) => {
      if (oneIn(100, event)) return { status: 'failed', attempts: MAX_ATTEMPTS };
      return { status: 'delivered', attempts: oneIn(10, event) ? 2 : 1 };
    },
  },
  {
    // Answers slowly, and answers 410 to one event in a hundred.
    name: 'slow',
    events: ['grant.created'],
    start: () =>
      startCountingReceiver((response, _, event) => {
        setTimeout(() => void response.writeHead(oneIn(100, event) ? 410 : 200).end(), SLOW_MS);
      }),
    fate: (event: Received) => ({ status: oneIn(100, event) ? 'failed' : 'delivered', attempts: 1 }),
  },
] as const;
