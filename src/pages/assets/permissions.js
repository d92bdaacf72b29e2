// Shows what the session's principal permitted, and takes it back on demand. Text is only ever set as text: the page's
// policy forbids all else.
import { displayText, exactText, NAME_LIMIT } from './display-text.js';
import { agentName, count, entryItem, grantItem } from './permission-items.js';
import { firstSession, takeSession } from './session.js';

const ANSWER_WITHIN_MS = 15_000;
const GRANTS_AT_ONCE = 50;
const ENTRIES_AT_ONCE = 50;
/** So that somebody who has paged far does not meet the rate limit after a revocation. */
const PAGES_READ_AGAIN = 10;

const main = document.querySelector('main');
const dialog = document.querySelector('dialog');
const find = (selector, within = main) => within.querySelector(selector);
const whole = [...main.childNodes];
const status = find('[role=status]');
const alert = find('[role=alert]');
const lead = find('header');
const view = find('[data-view]');

/** The one place where the token is kept. */
let session = firstSession;

/** Thrown where the service did not do what it was asked; `message` is for the person. */
class Problem extends Error {}
/** The session has ended, or never was one. */
class SessionEnded extends Error {}
/** The answer is to a question of an earlier session, and nobody's business any more. */
class Superseded extends Error {}

function refusal(response) {
  if (response.status === 401) return new SessionEnded();
  if (response.status === 429) {
    const seconds = Number(response.headers.get('retry-after'));
    const wait = seconds > 0 ? `in ${count(seconds, 'second', 'seconds')}` : 'in a moment';
    return new Problem(`Too many requests. Please try again ${wait}.`);
  }
  return new Problem('The service could not answer. Please try again.');
}

/** One request in the name of the session; gives the response also when what it names is not there (404). */
async function ask(path, method = 'GET') {
  const mine = session;
  let response;
  try {
    // Relative to the page, so that it also works behind a proxy that adds a prefix.
    response = await fetch(`v1/principal/${path}`, {
      method,
      headers: { accept: 'application/json', authorization: `Bearer ${session}` },
      credentials: 'omit',
      redirect: 'error',
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
  } catch {
    if (mine !== session) throw new Superseded();
    throw new Problem('We could not reach the service. Check your connection and try again.');
  }
  if (mine !== session) throw new Superseded();
  if (!response.ok && response.status !== 404) throw refusal(response);
  return response;
}

const read = async (path) => {
  const response = await ask(path);
  if (!response.ok) throw refusal(response);
  return response.json();
};

/** Takes everything that belongs to a session off the page. */
function clear() {
  if (dialog.open) dialog.close();
  view.hidden = true;
  find('[data-lead]', lead).hidden = true;
  for (const list of view.querySelectorAll('ul, ol')) list.replaceChildren();
  for (const name of [...lead.querySelectorAll('bdi, code'), find('[data-agent]', dialog)])
    name.textContent = '';
}

/** Takes everything off the page, and the token out of memory; says why. */
function endWith(id) {
  session = null;
  clear();
  main.replaceChildren(document.getElementById(id).content.cloneNode(true));
  main.classList.add('state');
  const heading = find('h1');
  document.title = heading.textContent;
  heading.focus();
}

/** How many agents besides lose what hangs below a grant. */
const activeBelow = (grant, children) =>
  (children.get(grant.id) ?? []).reduce(
    (sum, child) => sum + (child.status === 'active' ? 1 : 0) + activeBelow(child, children),
    0,
  );

/** Shown so far, active ones first, by id: what begins or ends meanwhile moves some of a page to another one. */
let known = new Map();
let grantPages = 0;

function showGrants({ principalId, developerName, grants: some, total, totalIsEstimate, page }) {
  grantPages = page;
  for (const grant of some) known.set(grant.id, grant);
  const grants = [...known.values()];
  const children = Map.groupBy(
    grants.filter(({ parentGrantId }) => known.has(parentGrantId)),
    ({ parentGrantId }) => parentGrantId,
  );
  const tops = grants.filter(({ parentGrantId }) => !known.has(parentGrantId));
  const items = (list) =>
    list.map((grant) => grantItem(grant, null, children, (one) => confirm(one, children)));
  const active = tops.filter((grant) => grant.status === 'active');
  const ended = tops.filter((grant) => grant.status !== 'active');

  find('[data-developer]').textContent = displayText(developerName, NAME_LIMIT, 'Unnamed developer');
  find('[data-principal]').textContent = exactText(principalId);
  find('[data-lead]').hidden = false;
  find('[data-active]').replaceChildren(...items(active));
  find('[data-no-active]').hidden = active.length > 0;
  find('[data-ended]').replaceChildren(...items(ended));
  find('[data-past]').hidden = ended.length === 0;
  find('[data-past-count]').textContent = ended.length;
  const all = grantPages * GRANTS_AT_ONCE >= total;
  find('[data-more-grants]').hidden = all;
  const told = find('[data-shown-grants]');
  told.hidden = all && !totalIsEstimate;
  told.textContent = `${grants.length} of ${totalIsEstimate ? 'more than ' : ''}${total} permissions are shown.`;
  names = new Map(grants.map((grant) => [grant.agentId, agentName(grant.agentName)]));
}

const readGrants = (page) => read(`grants?page=${page}&pageSize=${GRANTS_AT_ONCE}`);

/** Shown so far, newest first, by id: what is added meanwhile pushes some of a page onto the next one. */
let entries = new Map();
let pages = 0;
let names = new Map();

const showAllEntries = () =>
  find('[data-entries]').replaceChildren(...[...entries.values()].map((entry) => entryItem(entry, names)));

function showEntries({ entries: some, total, page }) {
  pages = page;
  for (const entry of some) entries.set(entry.entryId, entry);
  showAllEntries();
  find('[data-no-entries]').hidden = entries.size > 0;
  find('[data-older]').hidden = pages * ENTRIES_AT_ONCE >= total;
}

const readEntries = (page) => read(`audit?page=${page}&pageSize=${ENTRIES_AT_ONCE}`);

/** Runs what may fail; says aloud what went wrong. @returns whether it went well */
async function attempt(work, told = alert) {
  told.textContent = '';
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof SessionEnded) endWith('ended');
    else if (error instanceof Problem) told.textContent = error.message;
    else if (!(error instanceof Superseded)) throw error;
    return false;
  }
}

async function load() {
  if (session === null) return endWith('linkless');
  status.textContent = 'Loading your permissions…';
  find('[data-again]').hidden = true;
  const mine = session;
  const loaded = await attempt(async () => {
    // As many pages of permissions as were shown, so that a revocation does not fold the list up.
    const length = Math.min(Math.max(grantPages, 1), PAGES_READ_AGAIN);
    const wanted = Array.from({ length }, (_, n) => readGrants(n + 1));
    const [audit, ...grants] = await Promise.all([readEntries(1), ...wanted]);
    known = new Map();
    for (const page of grants) showGrants(page);
    entries = new Map();
    showEntries(audit);
    view.hidden = false;
  });
  if (mine !== session) return;
  status.textContent = '';
  find('[data-again]').hidden = loaded;
}

let asked = null;

function confirm(grant, children) {
  asked = grant;
  const others = activeBelow(grant, children);
  find('[data-agent]', dialog).textContent = agentName(grant.agentName);
  find('[data-others]', dialog).textContent =
    others === 0
      ? ''
      : `So ${others === 1 ? 'does' : 'do'} ${count(others, 'permission', 'permissions')} passed on from it.`;
  find('[role=alert]', dialog).textContent = '';
  dialog.showModal();
}

async function revoke() {
  const grant = asked;
  const buttons = [...dialog.querySelectorAll('button')];
  for (const button of buttons) button.disabled = true;
  let response;
  const done = await attempt(
    async () => {
      response = await ask(`grants/${encodeURIComponent(grant.id)}`, 'DELETE');
    },
    find('[role=alert]', dialog),
  );
  for (const button of buttons) button.disabled = false;
  if (!done) {
    // Escape may have closed it meanwhile.
    if (dialog.open) find('[data-confirm]', dialog).focus();
    else if (session !== null) alert.textContent = find('[role=alert]', dialog).textContent;
    return;
  }
  if (dialog.open) dialog.close();
  const mine = session;
  await load();
  if (mine !== session) return;
  status.textContent =
    response.status === 404
      ? 'That permission had already ended.'
      : `Done: ${agentName(grant.agentName)} no longer has that permission.`;
  // The button that had the focus is gone.
  find('#active').focus();
}

find('[data-keep]', dialog).addEventListener('click', () => dialog.close());
find('[data-confirm]', dialog).addEventListener('click', () => void revoke());
find('[data-again]').addEventListener('click', () => void load());
/** Lets a button show the next page of a list. */
const onMore = (button, showNext) =>
  button.addEventListener('click', () => {
    button.disabled = true;
    void attempt(showNext).then(() => {
      button.disabled = false;
      alert.scrollIntoView({ block: 'nearest' });
    });
  });
onMore(find('[data-older]'), async () => showEntries(await readEntries(pages + 1)));
onMore(find('[data-more-grants]'), async () => {
  showGrants(await readGrants(grantPages + 1));
  // Activity names agents by the permissions that are shown.
  showAllEntries();
});

// A link followed in this window only changes the fragment: the page stays, and its reader may be another person.
window.addEventListener('hashchange', () => {
  session = takeSession() ?? session;
  grantPages = 0;
  clear();
  main.classList.remove('state');
  main.replaceChildren(...whole);
  void load();
});

void load();
