import { html } from '../http/html.ts';
import { layout } from '../pages/layout.ts';

const START_OVER = 'To try again, go back to where you came from and start over.';

const STATES = {
  expired: [
    'This request has expired',
    'Nobody decided about it in time, so nothing was permitted.',
    START_OVER,
  ],
  decided: [
    'This request was already decided',
    'A permission request can be answered only once.',
    'You can close this page.',
  ],
  unknown: [
    'We do not know this request',
    'The link may be incomplete, or the request was withdrawn. Nothing was permitted.',
    START_OVER,
  ],
  limited: [
    'Too many requests',
    'This page was asked for too often in a short time.',
    'Wait a minute, then reload it. Your request stays open for now.',
  ],
  unavailable: [
    'We cannot show this request just now',
    'Something is wrong on our side. Nothing was permitted.',
    'Reload the page in a moment.',
  ],
} as const;

/** Why there is nothing to decide. */
export type ConsentState = keyof typeof STATES;

/** A complete page that says why a request cannot be decided, and what to do. It repeats no content of the request. */
export function consentStatePage(state: ConsentState): string {
  const [title, reason, advice] = STATES[state];
  const content = html`<main class="card state">
<p class="eyebrow">Permission request</p>
<h1>${title}</h1>
<p>${reason}</p>
<p>${advice}</p>
</main>`;
  return layout(title, content);
}
