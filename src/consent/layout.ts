import { type Html, html } from '../http/html.ts';
import { assetHref } from './assets.ts';

/** The shell of the pages: one card in the middle of the window. Drawn without inline style, which the policy forbids. */
export const layout = (title: string, content: Html, options: { script: boolean }): string =>
  html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${title}</title>
<link rel="icon" type="image/svg+xml" href="${assetHref('icon.svg')}">
<link rel="stylesheet" href="${assetHref('consent.css')}">
${options.script && html`<script type="module" src="${assetHref('consent.js')}"></script>`}
</head>
<body>
${content}
</body>
</html>
`.toString();
