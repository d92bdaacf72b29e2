import { mkdirSync } from 'node:fs';
import type { Server } from 'node:http';
import { join } from 'node:path';
import type { Browser, Route } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loopback } from '../../deploy/programs/stack/addresses.ts';
import { keepRunning } from '../../deploy/programs/stack/keep-running.ts';
import { servePage } from '../../deploy/programs/stack/page/server.ts';
import { accessibilityFaults, launchBrowser } from '../support/browser.ts';
import { newParty } from '../support/flow.ts';
import { type TestService, waitFor } from '../support/service.ts';
import { SCREENSHOTS } from './browser-window.ts';
import { type Pipeline, startPipeline } from './pipeline/pipeline.ts';

let pipeline: Pipeline;
let service: TestService;
let server: Server;
let agentId: string;
let browser: Browser;

beforeAll(async () => {
  pipeline = await startPipeline('otel-collector', 'jaeger', 'prometheus', 'alert-sink');
  service = await pipeline.startService();
  const { authorize, ...party } = await newParty(service);
  agentId = party.agentId;
  for (let request = 0; request < 5; request++) await authorize();
  server = await servePage(pipeline.ports, 1);
  browser = await launchBrowser();
  mkdirSync(SCREENSHOTS, { recursive: true });
}, 120_000);
afterAll(async () => {
  await browser?.close();
  server?.close();
  server?.closeAllConnections();
  await service?.stop();
  await pipeline?.stop();
});

const ask = (path: string) => fetch(`http://${loopback(pipeline.ports.page)}${path}`);
const textOf = async (path: string) => (await ask(path)).text();
/** Waits until the page has this. @returns the whole page */
const pageWith = (wanted: RegExp) =>
  waitFor(async () => {
    const html = await textOf('/');
    return wanted.test(html) ? html : undefined;
  }, 60_000);

const REFRESH = '<meta http-equiv="refresh" content="15">';
/** Otherwise the page would load again while the test looks at it. */
const withoutRefresh = async (route: Route) => {
  const response = await route.fetch();
  await route.fulfill({ response, body: (await response.text()).replace(REFRESH, '') });
};

const row = (...cells: string[]) => new RegExp(cells.map((cell) => `<td[^>]*>${cell}</td>`).join(''));

test('the page links every part, and shows targets and traces as they are', async () => {
  const html = await pageWith(row('grantex-auth', loopback(pipeline.ports.service), 'up'));
  for (const part of ['service', 'prometheus', 'alertmanager', 'jaeger', 'alertSink', 'blackbox'] as const)
    expect(html, part).toContain(`<a href="http://${loopback(pipeline.ports[part])}`);
  const traced = await pageWith(/<text[^>]*class="word">[^<]*authorize/);
  for (const [, title] of traced.matchAll(/<summary>(.*?) <code>/g))
    expect(title).toMatch(/^(GET|POST) \/\S+, [\d.]+ ms$/);
  const [, id = ''] = /<code>([0-9a-f]{32})<\/code>/.exec(traced) ?? [];
  const stored = await fetch(`http://${loopback(pipeline.ports.jaeger)}/api/traces/${id}`);
  const { data } = (await stored.json()) as { data: { spans: unknown[] }[] };
  const drawn = traced.slice(traced.indexOf(id)).split('</svg>')[0] ?? '';
  expect(drawn.match(/<rect /g)?.length).toBe(data[0]?.spans.length);
});

test('its dashboards have the numbers of the running Prometheus, and a name without one is nothing', async () => {
  const instance = loopback(pipeline.ports.service);
  const wanted: Record<string, RegExp> = {
    overview: new RegExp(`>${instance}<`),
    'per-agent': new RegExp(`>${agentId}<`),
    // Alertmanager and the probe, which this test did not start.
    pipeline: />Targets not scraped<\/text><svg [^>]*><rect [^>]*><\/rect><text [^>]*>2</,
    slo: new RegExp(`>${instance}<`),
  };
  for (const [name, content] of Object.entries(wanted)) {
    await waitFor(async () => {
      const answer = await ask(`/dashboards/${name}.svg`);
      expect(answer.status, name).toBe(200);
      expect(answer.headers.get('content-type')).toBe('image/svg+xml; charset=utf-8');
      return content.test(await answer.text()) || undefined;
    }, 60_000);
  }
  const absent = [
    '/dashboards/none.svg',
    '/dashboards/__proto__.svg',
    '/?dashboard=none',
    '/?dashboard=__proto__',
    '/etc/passwd',
  ];
  for (const path of absent) expect((await ask(path)).status, path).toBe(404);
});

test('in light and dark windows it shows each dashboard, complains of nothing, and asks nobody but itself', async () => {
  const answer = await ask('/');
  expect(answer.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'self'/);
  const html = await answer.text();
  expect(html).not.toContain('<script');
  expect(html).toContain(REFRESH);
  for (const colorScheme of ['light', 'dark'] as const) {
    const context = await browser.newContext({ colorScheme, viewport: { width: 1280, height: 1000 } });
    const page = await context.newPage();
    const complaints: string[] = [];
    const asked = new Set<string>();
    page.on('console', (message) => complaints.push(message.text()));
    page.on('request', (request) => asked.add(new URL(request.url()).origin));
    await page.route(/\/(\?.*)?$/, withoutRefresh);
    await page.goto(`http://${loopback(pipeline.ports.page)}/`, { waitUntil: 'networkidle' });
    for (const name of ['overview', 'per-agent', 'pipeline', 'slo']) {
      if (name !== 'overview') {
        await page.getByRole('link', { name, exact: true }).click();
        await page.waitForLoadState('networkidle');
      }
      const pictures = await page.evaluate(
        '[...document.images].map(({ alt, naturalWidth }) => [alt, naturalWidth])',
      );
      expect(pictures).toEqual([[`Dashboard ${name}, the last 15 minutes`, 1200]]);
      expect(await page.locator('nav [aria-current]').textContent()).toBe(name);
      const path = join(SCREENSHOTS, `stack-page-${name}-${colorScheme}.png`);
      await page.screenshot({ path, fullPage: true });
    }
    expect(await accessibilityFaults(page)).toEqual([]);
    expect(complaints).toEqual([]);
    expect([...asked]).toEqual([`http://${loopback(pipeline.ports.page)}`]);
    await context.close();
  }
});

test('a part that dies is named and started again, and its silence is shown', async () => {
  const lines: string[] = [];
  keepRunning(pipeline.stack, (line) => lines.push(line)).catch((error) => lines.push(error.message));
  pipeline.stack.program('jaeger').kill();
  await waitFor(() => lines.includes('jaeger answers again') || undefined, 60_000);
  expect(lines).toEqual(['jaeger ended with code SIGKILL: it is started again', 'jaeger answers again']);
  expect((await fetch(`http://${loopback(pipeline.ports.jaeger)}/api/services`)).status).toBe(200);
  // Its traces were in memory.
  expect(await textOf('/')).toContain('<h2>Last requests</h2>\n<p>None.</p>');
  await pipeline.stack.program('jaeger').stop();
  expect(await textOf('/')).toContain('Jaeger does not answer');
  // An end that was ordered is left alone.
  expect(lines).toHaveLength(2);
}, 90_000);

test('a part that dies again and again is given up, with a clear line', async () => {
  let gaveUp = '';
  const lines: string[] = [];
  keepRunning(pipeline.stack, (line) => lines.push(line)).catch((error) => {
    gaveUp = error.message;
  });
  for (let death = 1; death <= 6; death++) {
    pipeline.stack.program('alert-sink').kill();
    await waitFor(
      () =>
        lines.filter((line) => line === 'alert-sink answers again').length === death || gaveUp || undefined,
      60_000,
    );
  }
  expect(gaveUp).toBe('alert-sink ended with code SIGKILL. It was started again 5 times: giving up');
}, 120_000);

test('a firing alert stands on the page', async () => {
  await service.stop();
  const address = loopback(pipeline.ports.service);
  const html = await pageWith(
    row('GrantexTargetDown', 'firing', '[a-z]+', `Prometheus cannot scrape grantex-auth at ${address}`),
  );
  expect(html).toMatch(row('grantex-auth', address, 'down', '[^<]+refused'));
}, 120_000);
