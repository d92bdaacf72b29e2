// One grant and one audit entry as the page shows them, copied from its templates.
import { displayText, exactText, monogram, NAME_LIMIT, SCOPE_LIMIT } from './display-text.js';
import { localMoment } from './moment.js';

const STATUS_WORDS = { active: 'Active', revoked: 'Revoked', expired: 'Expired' };
const OUTCOMES = { success: ['Done', 'good'], failure: ['Failed', 'bad'], blocked: ['Blocked', 'bad'] };

const find = (selector, within) => within.querySelector(selector);

/** The name of an agent, fit to be shown. */
export const agentName = (text) => displayText(text, NAME_LIMIT, 'Unnamed agent');
const copyOf = (id) => document.getElementById(id).content.cloneNode(true).firstElementChild;
/** A number with the right word after it. */
export const count = (number, one, many) => `${number} ${number === 1 ? one : many}`;

function scopeItem(scope, description) {
  const item = copyOf('scope');
  find('.meaning', item).textContent = displayText(description, SCOPE_LIMIT);
  find('code', item).textContent = exactText(scope);
  return item;
}

function moment(iso) {
  const time = document.createElement('time');
  time.dateTime = iso;
  time.textContent = localMoment(iso);
  return time;
}

function endOf({ status: state, revokedAt, expiresAt }) {
  if (state === 'revoked') return ['Revoked', revokedAt];
  return [state === 'expired' ? 'Expired' : 'Ends', expiresAt];
}

/**
 * A grant with everything that was passed on from it below. `children` has the grants by their parent's id; `onRevoke` is
 * called with the grant when the person presses its button.
 */
export function grantItem(grant, parent, children, onRevoke) {
  const item = copyOf('grant');
  const name = agentName(grant.agentName);
  const badge = find('[data-status]', item);
  const [endName, end] = endOf(grant);
  find('[data-agent]', item).textContent = name;
  find('.monogram', item).textContent = monogram(name);
  badge.textContent = STATUS_WORDS[grant.status];
  badge.dataset.tone = grant.status === 'active' ? 'good' : 'plain';
  if (parent) {
    find('[data-passed]', item).hidden = false;
    find('[data-parent]', item).textContent = agentName(parent.agentName);
  }
  find('.scopes', item).append(
    ...grant.scopes.map((scope, index) => scopeItem(scope, grant.scopeDescriptions[index])),
  );
  find('[data-issued]', item).append(moment(grant.issuedAt));
  find('[data-end-name]', item).textContent = endName;
  find('[data-end]', item).append(moment(end));
  find('[data-used]', item).append(grant.lastUsedAt ? moment(grant.lastUsedAt) : 'Never');
  find('[data-did]', item).textContent = exactText(grant.agentDid);

  const button = find('[data-revoke]', item);
  if (grant.status === 'active') {
    button.setAttribute('aria-label', `Revoke what ${name} may do`);
    button.addEventListener('click', () => onRevoke(grant));
  } else button.remove();

  const below = children.get(grant.id) ?? [];
  if (below.length > 0) {
    const list = document.createElement('ul');
    list.className = 'grants';
    list.setAttribute('aria-label', `Passed on by ${name}`);
    list.append(...below.map((child) => grantItem(child, grant, children, onRevoke)));
    item.append(list);
  }
  return item;
}

/** What an agent did; `names` has the names of agents by their ids. */
export function entryItem(entry, names) {
  const item = copyOf('entry');
  const [words, tone] = OUTCOMES[entry.status];
  const outcome = find('[data-outcome]', item);
  const time = find('time', item);
  find('[data-action]', item).textContent = exactText(entry.action);
  outcome.textContent = words;
  outcome.dataset.tone = tone;
  find('[data-agent]', item).textContent = names.get(entry.agentId) ?? exactText(entry.agentDid);
  time.dateTime = entry.timestamp;
  time.textContent = localMoment(entry.timestamp);
  return item;
}
