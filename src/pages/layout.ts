/**
 * Pages: what the consent page and the permissions page share: the shell, the files in `assets/`, the policy against foreign
 * content, and scopes in words. The rooms `consent` and `principal-sessions` draw on it. No table.
 */
import { type Html, html } from '../http/html.ts';
import { type AssetName, assetHref } from './assets.ts';

/** What a page has besides the style that all pages share. */
interface PageFiles {
  readonly style?: AssetName;
  /** Run in this order. */
  readonly scripts?: readonly AssetName[];
}

/** The shell of the pages. Drawn without inline style, which the policy forbids. */
export const layout = (title: string, content: Html, { style, scripts = [] }: PageFiles = {}): string =>
  html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${title}</title>
<link rel="icon" type="image/svg+xml" href="${assetHref('icon.svg')}">
<link rel="stylesheet" href="${assetHref('colours.css')}">
<link rel="stylesheet" href="${assetHref('page.css')}">
${style && html`<link rel="stylesheet" href="${assetHref(style)}">`}
${scripts.map((name) => html`<script type="module" src="${assetHref(name)}"></script>`)}
</head>
<body>
${content}
</body>
</html>
`.toString();
