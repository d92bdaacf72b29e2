import { html } from '../http/html.ts';
import { layout } from '../pages/layout.ts';
import { SERVICE_VERSION } from '../version.ts';

/** What a person sees who opens the address of the service. Links are relative, so a prefix of a proxy stays. */
export const frontPage = (healthy: boolean): string =>
  layout(
    'Grantex authorization service',
    html`<main class="card">
<h1>Grantex authorization service</h1>
<p>People let AI agents act for them here. Agents get signed tokens with exactly what was allowed.</p>
<dl>
<dt>State</dt>
<dd>${healthy ? 'It works.' : 'It cannot serve: its database does not take writes.'} <a href="health">health</a></dd>
<dt>Version</dt>
<dd>${SERVICE_VERSION}</dd>
<dt>For developers</dt>
<dd><a href="docs">the API, to read</a>, <a href="openapi.json">the API, for programs</a> (OpenAPI 3.1)</dd>
<dt>For verifiers of tokens</dt>
<dd><a href=".well-known/jwks.json">the public keys</a></dd>
<dt>For people</dt>
<dd>You decide on a page to which an app sends you. A link of that app shows what you have allowed.</dd>
</dl>
</main>`,
    { style: 'front.css' },
  );
