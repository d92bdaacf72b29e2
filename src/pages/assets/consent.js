// Sends the decision and shows what came of it. Text is only ever set as text: the page's policy forbids all else.
import { localMoment } from './moment.js';
import { withQuery } from './with-query.js';

const ANSWER_WITHIN_MS = 15_000;
const SETTLE_MS = 400;

const main = document.querySelector('main');
const alert = main.querySelector('[role=alert]');
const status = main.querySelector('[role=status]');
const buttons = [...main.querySelectorAll('[data-decision]')];
// The header that it is compared with has whole seconds.
const expiry = Math.floor(Date.parse(main.querySelector('[data-expiry] time').dateTime) / 1000) * 1000;

const TRY_AGAIN = 'Nothing was decided. Please try again.';

/** What to tell after an answer that decides nothing. */
function refusal(response) {
  if (response.status === 429) {
    const seconds = Number(response.headers.get('retry-after'));
    const wait = seconds > 0 ? `in ${seconds} ${seconds === 1 ? 'second' : 'seconds'}` : 'in a moment';
    return `Too many requests. Nothing was decided. Please try again ${wait}.`;
  }
  return `The service could not take your decision. ${TRY_AGAIN}`;
}

/** Why there is nothing left to decide, by the clock of the service: that of the person's device may be wrong. */
function ending(response) {
  const now = Date.parse(response.headers.get('date')) || Date.now();
  return response.status === 410 && now >= expiry ? 'expired' : 'closed';
}

/** One attempt: `{answer}`, `{ended}` when the request can no longer be decided, or `{problem}` to show before another try. */
async function send(decision) {
  // Relative to the page, so that it also works behind a proxy that adds a prefix.
  const path = `v1/consent/${encodeURIComponent(main.dataset.requestId)}/${decision}`;
  try {
    const response = await fetch(path, {
      method: 'POST',
      headers: { accept: 'application/json' },
      credentials: 'omit',
      redirect: 'error',
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    if (response.ok) return { answer: await response.json() };
    return response.status === 410 || response.status === 404
      ? { ended: ending(response) }
      : { problem: refusal(response) };
  } catch {
    return { problem: 'We could not reach the service. Check your connection and try again.' };
  }
}

/** Replaces the request by an outcome and moves the focus to its heading, so that a screen reader announces it. */
function show(outcome) {
  main.replaceChildren(document.getElementById(`outcome-${outcome}`).content.cloneNode(true));
  main.classList.add('state');
  const heading = main.querySelector('h1');
  document.title = heading.textContent;
  heading.focus();
}

async function copyCode(code) {
  const copyStatus = main.querySelector('[data-copy-status]');
  try {
    await navigator.clipboard.writeText(code.textContent);
    copyStatus.textContent = 'Copied.';
  } catch {
    // No clipboard without https, or not permitted: the person's own copy command still works.
    window.getSelection().selectAllChildren(code);
    copyStatus.textContent =
      'The code is selected. Copy it with your keyboard or by touching and holding it.';
  }
}

function finish(decision, { code, redirectUri, state }) {
  show(decision);
  if (redirectUri) {
    const target = withQuery(
      redirectUri,
      decision === 'approve' ? { code, state } : { error: 'access_denied', state },
    );
    main.querySelector('[data-continue]').href = target;
    // Replacing takes the page, with the id in its URL, out of the history.
    location.replace(target);
  } else if (decision === 'approve') {
    const codeBox = main.querySelector('[data-code]');
    codeBox.textContent = code;
    main.querySelector('[data-copy]').addEventListener('click', () => copyCode(codeBox));
  }
}

async function decide(button) {
  const { decision } = button.dataset;
  alert.textContent = '';
  status.textContent = 'Sending your decision…';
  for (const each of buttons) each.disabled = true;
  const { answer, ended, problem } = await send(decision);
  if (answer) return finish(decision, answer);
  if (ended) return show(ended);
  status.textContent = '';
  alert.textContent = problem;
  for (const each of buttons) each.disabled = false;
  button.focus();
}

// A window that covered this one and vanished between the two halves of a double click must not have pressed Approve.
let settledAt = 0;
window.addEventListener('focus', () => {
  settledAt = performance.now() + SETTLE_MS;
});

for (const button of buttons)
  button.addEventListener('click', () => {
    if (performance.now() >= settledAt) void decide(button);
    else
      alert.textContent =
        'This page has only just come to the front. Please check the request and press again.';
  });

// The page is sent with UTC; only the browser knows the time of day where the person is.
for (const time of main.querySelectorAll('time')) time.textContent = localMoment(time.dateTime);
