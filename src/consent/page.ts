import { type Html, html } from '../http/html.ts';
import { displayText, exactText, monogram, NAME_LIMIT, SCOPE_LIMIT } from '../pages/assets/display-text.js';
import { layout } from '../pages/layout.ts';

/** The content of the page as it is stored. The page escapes and limits it. */
export interface ConsentView {
  readonly requestId: string;
  readonly agentName: string;
  readonly agentDid: string;
  readonly agentDescription: string;
  readonly developerName: string;
  readonly principalId?: string;
  readonly scopes: readonly { readonly scope: string; readonly description: string }[];
  /** The lifetime of the grant in words: "24 hours". */
  readonly grantLifeText: string;
  /** When the pending request ends (not the grant). */
  readonly expiresAt: Date;
  /** The destination of the decision (`redirectHost` of redirect-uri.ts); null: the page shows a code instead. */
  readonly redirectHost: string | null;
}

const DESCRIPTION_LIMIT = 500;

const name = (text: string, fallback: string): Html =>
  html`<bdi>${displayText(text, NAME_LIMIT, fallback)}</bdi>`;

const momentFormat = new Intl.DateTimeFormat('en-GB', {
  dateStyle: 'long',
  timeStyle: 'short',
  timeZone: 'UTC',
});
const moment = (time: Date): Html =>
  html`<time datetime="${time.toISOString()}">${momentFormat.format(time)} UTC</time>`;

const scopeList = (scopes: ConsentView['scopes']): Html => html`<ul class="scopes">
${scopes.map(
  ({ scope, description }) => html`<li>
<bdi class="meaning">${displayText(description, SCOPE_LIMIT)}</bdi>
<code dir="ltr">${exactText(scope)}</code>
</li>`,
)}
</ul>`;

/** The element with which the script replaces the request after a decision. It is inert until then. */
const outcomes = (agent: Html, developer: Html, redirectHost: string | null): Html => {
  const back = html`<p>Taking you back to <bdi class="host">${redirectHost}</bdi>…</p>
<p>Nothing happens? <a data-continue rel="noreferrer">Continue to <bdi>${redirectHost}</bdi></a></p>`;
  return html`<template id="outcome-approve">
<h1 tabindex="-1">Approved</h1>
${
  redirectHost !== null
    ? back
    : html`<p>To finish, copy this code and give it to ${agent} or to ${developer}, wherever you were asked for this.</p>
<p class="code" id="code" data-code></p>
<button type="button" class="copy" data-copy aria-describedby="code">Copy code</button>
<p class="status" role="status" data-copy-status></p>
<p class="note">The code works once, within the next 10 minutes. Give it to nobody else.</p>`
}
</template>
<template id="outcome-deny">
<h1 tabindex="-1">Denied</h1>
<p>${agent} was given no permission.</p>
${redirectHost !== null ? back : html`<p>You can close this page.</p>`}
</template>
<template id="outcome-closed">
<h1 tabindex="-1">This request is closed</h1>
<p>It was already decided, or it was withdrawn. What you pressed just now had no effect.</p>
<p>To try again, go back to where you came from and start over.</p>
</template>
<template id="outcome-expired">
<h1 tabindex="-1">This request has expired</h1>
<p>What you pressed just now came too late and had no effect.</p>
<p>To try again, go back to where you came from and start over.</p>
</template>`;
};

/**
 * The page on which a person decides about a pending request. It shows which agent asks, for what and for how long, and
 * the effect of each answer. Any text of the view may be hostile, so the page escapes it, isolates it from its
 * surroundings, and limits it. Scopes and the agent's identity appear in full, with invisible characters spelled out.
 * `assets/consent.js` sends the decision.
 */
export function consentPage(view: ConsentView): string {
  const { redirectHost } = view;
  const agent = name(view.agentName, 'Unnamed agent');
  const developer = name(view.developerName, 'Unnamed developer');
  const description = displayText(view.agentDescription, DESCRIPTION_LIMIT);
  const host = html`<bdi class="host">${redirectHost}</bdi>`;

  const content = html`<main class="card" data-request-id="${view.requestId}">
<header>
<span class="monogram" aria-hidden="true">${monogram(view.agentName)}</span>
<p class="eyebrow">Permission request</p>
<h1>Allow ${agent} to act for you?</h1>
<p class="lead">This AI agent belongs to the developer <strong>${developer}</strong>.</p>
</header>
${
  description &&
  html`<figure>
<figcaption>What the developer says about it</figcaption>
<blockquote><bdi>${description}</bdi></blockquote>
</figure>`
}
<section aria-labelledby="what">
<h2 id="what">If you approve, it can</h2>
${scopeList(view.scopes)}
</section>
<section aria-labelledby="terms">
<h2 id="terms">Good to know</h2>
<dl>
<div><dt>How long</dt><dd>For <strong>${displayText(view.grantLifeText, NAME_LIMIT)}</strong>. To take the permission back sooner, ask ${developer}.</dd></div>
<div><dt>Approve</dt><dd>${
    redirectHost === null
      ? html`You get a code to copy. The agent can act once you have passed it on.`
      : html`You go back to ${host}, and the agent can act.`
  }</dd></div>
<div><dt>Deny</dt><dd>The agent gets no permission${redirectHost !== null && html`, and you go back to ${host}`}.</dd></div>
<div><dt>Decide before</dt><dd data-expiry>${moment(view.expiresAt)}</dd></div>
</dl>
</section>
<p class="caution">Names and descriptions come from the developer and were not checked. If you did not start this yourself, choose Deny.</p>
<p class="alert" role="alert"></p>
<div class="decision" role="group" aria-label="Your decision">
<button type="button" class="deny" data-decision="deny">Deny</button>
<button type="button" class="approve" data-decision="approve">Approve</button>
</div>
<p class="status" role="status"></p>
<noscript><p class="alert">This page needs JavaScript to send your decision. Turn it on and reload the page. Without a decision, nothing is permitted.</p></noscript>
<footer>
<p>Agent identity: <code dir="ltr">${exactText(view.agentDid)}</code></p>
${view.principalId !== undefined && html`<p>Acting for: <code dir="ltr">${exactText(view.principalId)}</code></p>`}
</footer>
</main>
${outcomes(agent, developer, redirectHost)}`;

  const title = `Allow ${displayText(view.agentName, NAME_LIMIT, 'Unnamed agent')}?`;
  return layout(`${title} – Permission request`, content, { style: 'consent.css', scripts: ['consent.js'] });
}
