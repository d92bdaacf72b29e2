import { html } from '../http/html.ts';
import { layout } from '../pages/layout.ts';

const TITLE = 'Your permissions';

/** The templates that the script fills: a grant with its agent, scopes and times, a scope, and an audit entry. */
const grantTemplate = html`<template id="grant">
<li class="grant">
<article>
<header>
<span class="monogram" aria-hidden="true"></span>
<h3><bdi data-agent></bdi></h3>
<p class="badge" data-status></p>
</header>
<p class="passed" data-passed hidden>Passed on by <bdi data-parent></bdi></p>
<ul class="scopes"></ul>
<dl>
<div><dt>Permitted</dt><dd data-issued></dd></div>
<div><dt data-end-name></dt><dd data-end></dd></div>
<div><dt>Last used</dt><dd data-used></dd></div>
<div><dt>Identity</dt><dd><code dir="ltr" data-did></code></dd></div>
</dl>
<button type="button" class="revoke" data-revoke>Revoke</button>
</article>
</li>
</template>
<template id="scope"><li><bdi class="meaning"></bdi><code dir="ltr"></code></li></template>
<template id="entry">
<li>
<p class="act"><code dir="ltr" data-action></code> <span class="badge" data-outcome></span></p>
<p class="by"><bdi data-agent></bdi>, <time></time></p>
</li>
</template>`;

/** The messages that replace the page when there is nothing to show. */
const endings = html`<template id="ended">
<h1 tabindex="-1">Your session has ended</h1>
<p>For your safety a link to this page works only for a short time. Nothing was changed.</p>
<p>Go back to where you got the link and open a new one.</p>
</template>
<template id="linkless">
<h1 tabindex="-1">This page needs a personal link</h1>
<p>Such a link works for one visit: when the page is reloaded, it has to be followed again.</p>
<p>Go back to where you got the link and open it from there.</p>
</template>`;

const dialog = html`<dialog aria-labelledby="question" aria-describedby="consequence">
<h2 id="question">Revoke what <bdi data-agent></bdi> may do?</h2>
<div id="consequence">
<p>The agent loses this permission at once.</p>
<p data-others></p>
<p>This cannot be undone, but the agent can ask you again.</p>
</div>
<p class="alert" role="alert"></p>
<div class="choice">
<button type="button" class="keep" data-keep autofocus>Keep</button>
<button type="button" class="revoke" data-confirm>Revoke</button>
</div>
</dialog>`;

const content = html`<main class="card wide">
<header>
<p class="eyebrow">${TITLE}</p>
<h1 tabindex="-1">What agents may do for you</h1>
<p class="lead" data-lead hidden>AI agents of the developer <strong><bdi data-developer></bdi></strong>, acting for <code dir="ltr" data-principal></code></p>
</header>
<p class="alert" role="alert"></p>
<p class="status" role="status"></p>
<button type="button" class="again" data-again hidden>Try again</button>
<noscript><p class="alert">This page needs JavaScript to show your permissions. Turn it on and open your link again.</p></noscript>
<div data-view hidden>
<section aria-labelledby="active">
<h2 id="active" tabindex="-1">Active permissions</h2>
<p class="empty" data-no-active hidden>No agent may act for you.</p>
<ul class="grants" data-active></ul>
</section>
<details data-past hidden>
<summary>Ended permissions (<span data-past-count></span>)</summary>
<ul class="grants" data-ended></ul>
</details>
<p class="note" data-shown-grants hidden></p>
<button type="button" class="again" data-more-grants hidden>Show more permissions</button>
<section aria-labelledby="activity">
<h2 id="activity">Activity</h2>
<p class="note">What the developer put on record about the agents that act for you.</p>
<p class="empty" data-no-entries hidden>Nothing is on record.</p>
<ol class="entries" data-entries></ol>
<button type="button" class="again" data-older hidden>Show older activity</button>
</section>
<p class="caution">Names come from the developer and were not checked.</p>
</div>
</main>
${dialog}
${grantTemplate}
${endings}`;

/**
 * The page on which a person sees and revokes the permissions of agents. It contains no personal data. The session
 * token is in the fragment of the URL, which the browser does not send. `assets/permissions.js` fetches the data with
 * it.
 */
export const permissionsPage = (): string =>
  layout(TITLE, content, { style: 'permissions.css', scripts: ['session.js', 'permissions.js'] });

/** The page that a person sees when the permissions page is not available. */
export function permissionsRefusalPage(status: number): string {
  const [title, advice] =
    status === 429
      ? ['Too many requests', 'Wait a minute, then open your link again.']
      : [
          'We cannot show your permissions just now',
          'Something is wrong on our side. Open your link again in a moment.',
        ];
  const refusal = html`<main class="card state">
<p class="eyebrow">${TITLE}</p>
<h1>${title}</h1>
<p>${advice}</p>
</main>`;
  return layout(title, refusal);
}
