import { loopback, type Ports } from '../addresses.ts';
import type { FiringAlert, ShownTrace, Target } from './readings.ts';
import { milliseconds, waterfall } from './waterfall.ts';

/** What a part answered, or why it did not. */
export type Reading<T> = { readonly found: T } | { readonly silent: string };

export interface PageContent {
  readonly ports: Ports;
  readonly at: Date;
  readonly targets: Reading<readonly Target[]>;
  readonly alerts: Reading<readonly FiringAlert[]>;
  readonly traces: Reading<readonly ShownTrace[]>;
  /** The names of the dashboards, each a picture at `/dashboards/<name>.svg`. */
  readonly dashboards: readonly string[];
  /** The one of them that the page shows. */
  readonly dashboard: string;
}

const REFRESH_SECONDS = 15;

const LINKS: readonly (readonly [what: string, part: keyof Ports, path: string, words: string])[] = [
  ['Service', 'service', '/', 'its own page, health and API'],
  ['Metrics', 'service', '/metrics', 'what Prometheus scrapes'],
  ['Prometheus', 'prometheus', '/api/v1/targets', 'targets, from its HTTP interface'],
  ['Rules', 'prometheus', '/api/v1/rules', 'every rule and its state'],
  ['Alertmanager', 'alertmanager', '/api/v2/alerts', 'alerts that it routes'],
  ['Sent alerts', 'alertSink', '/messages', 'the newest messages to those on call'],
  ['Jaeger', 'jaeger', '/api/services', 'services, from its HTTP interface'],
  ['Blackbox', 'blackbox', '/', 'the probe of health'],
  ['Collector', 'collectorMetrics', '/metrics', 'its own metrics'],
];

/** The page of the stack. It is plain HTML without script, and asks for itself again every fifteen seconds. */
export function pageOf(content: PageContent): string {
  const { ports, at, targets, alerts, traces, dashboards, dashboard } = content;
  const links = LINKS.map(([what, part, path, words]) => {
    const address = `http://${loopback(ports[part])}${path}`;
    return `<li><a href="${escaped(address)}">${what}</a> <span class="soft">${words}</span></li>`;
  });
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="${REFRESH_SECONDS}">
<title>The stack of grantex-auth</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/page.css">
</head>
<body>
<main>
<h1>The stack of grantex-auth</h1>
<p class="soft">Read at ${at.toISOString()}. Asks again every ${REFRESH_SECONDS} seconds.</p>
<h2>Parts</h2>
<ul class="links">${links.join('')}</ul>
<h2>Targets</h2>
${shown(targets, 'Prometheus', targetsTable)}
<h2>Alerts</h2>
${shown(alerts, 'Prometheus', alertsTable)}
<h2>Last requests</h2>
${shown(traces, 'Jaeger', tracesList)}
<h2 id="dashboards">Dashboards</h2>
<nav aria-label="Dashboards">${dashboards.map((name) => tab(name, name === dashboard)).join(' ')}</nav>
<a href="/dashboards/${dashboard}.svg"><img src="/dashboards/${dashboard}.svg" alt="Dashboard ${dashboard}, the last 15 minutes"></a>
</main>
</body>
</html>
`;
}

// The address says which dashboard is shown, so the page still shows it after it has asked again.
const tab = (name: string, current: boolean): string =>
  `<a href="/?dashboard=${name}#dashboards"${current ? ' aria-current="true"' : ''}>${name}</a>`;

const shown = <T>(
  reading: Reading<readonly T[]>,
  part: string,
  draw: (found: readonly T[]) => string,
): string =>
  'silent' in reading
    ? `<p class="bad">${part} does not answer: ${escaped(reading.silent)}</p>`
    : reading.found.length === 0
      ? '<p>None.</p>'
      : draw(reading.found);

const targetsTable = (targets: readonly Target[]): string =>
  table(
    ['Job', 'Address', 'Health', 'Last error'],
    targets.map(({ job, instance, health, error }) => [
      cell(job),
      cell(instance),
      cell(health, health === 'up' ? 'good' : 'bad'),
      cell(error),
    ]),
  );

const alertsTable = (alerts: readonly FiringAlert[]): string =>
  table(
    ['Alert', 'State', 'Severity', 'Summary'],
    alerts.map(({ name, state, severity, summary }) => [
      cell(name),
      // The watchdog fires always: that is how one sees that alerts arrive.
      cell(state, state === 'firing' && severity !== 'none' ? 'bad' : ''),
      cell(severity),
      cell(summary),
    ]),
  );

const tracesList = (traces: readonly ShownTrace[]): string =>
  traces
    .map((trace) => {
      const [root] = trace.spans;
      const rest = trace.more > 0 ? `, without its last ${trace.more} spans` : '';
      const title = `${root?.name ?? ''}, ${milliseconds(root?.duration ?? 0)}${rest}`;
      return `<details open><summary>${escaped(title)} <code>${escaped(trace.id)}</code></summary><div class="wide">${waterfall(trace)}</div></details>`;
    })
    .join('\n');

const cell = (content: string, of = ''): string => `<td${of && ` class="${of}"`}>${escaped(content)}</td>`;

const table = (head: readonly string[], lines: readonly (readonly string[])[]): string =>
  `<div class="wide"><table><thead><tr>${head.map((word) => `<th>${word}</th>`).join('')}</tr></thead><tbody>${lines
    .map((cells) => `<tr>${cells.join('')}</tr>`)
    .join('\n')}</tbody></table></div>`;

const escaped = (raw: string): string =>
  raw.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

export const STYLE = `
:root { color-scheme: light dark; --back: #fff; --ink: #1d2129; --soft: #57606a; --line: #d8dee4; --link: #0a58ca; --good: #116329; --bad: #b42318; --bar: #3274d9; }
@media (prefers-color-scheme: dark) {
  :root { --back: #111418; --ink: #e6e8eb; --soft: #9aa4af; --line: #30363d; --link: #79b8ff; --good: #56d364; --bad: #ff7b72; --bar: #6ea6ff; }
}
body { margin: 0 auto; max-width: 75rem; padding: 1rem 1.25rem 3rem; background: var(--back); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0.5rem 0 0; }
h2 { font-size: 1.1rem; margin: 2rem 0 0.5rem; border-bottom: 1px solid var(--line); padding-bottom: 0.25rem; }
a { color: var(--link); }
.soft { color: var(--soft); }
.good { color: var(--good); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
.links { list-style: none; margin: 0; padding: 0; display: grid; grid-template-columns: repeat(auto-fill, minmax(21rem, 1fr)); gap: 0.25rem 1.5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; }
th, td { text-align: left; padding: 0.3rem 0.75rem 0.3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
summary { cursor: pointer; padding: 0.3rem 0; }
code { color: var(--soft); font-size: 0.85em; }
svg { max-width: none; display: block; }
.word { fill: var(--ink); }
.span { fill: var(--bar); }
.failed { fill: var(--bad); }
nav { margin: 0.75rem 0; display: flex; flex-wrap: wrap; gap: 0.5rem; }
nav a { padding: 0.2rem 0.75rem; border: 1px solid var(--line); border-radius: 1rem; text-decoration: none; }
nav a[aria-current] { background: var(--link); border-color: var(--link); color: var(--back); }
img { display: block; max-width: 100%; height: auto; border: 1px solid var(--line); border-radius: 4px; }
@media (prefers-color-scheme: dark) {
  /* The picture is drawn for a light page. This turns light and dark around, and keeps each hue. */
  img { filter: invert(0.92) hue-rotate(180deg); }
}
`;
