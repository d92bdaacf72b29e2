import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, Page, Route } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';

type WindowOptions = Parameters<Browser['newContext']>[0];

export const SCREENSHOTS = fileURLToPath(new URL('./screenshots/', import.meta.url));

export let service: TestService;
let browser: Browser;
/** New for each test. */
export let party: Party;
let context: BrowserContext;
/** The page of a window that is new for each test. */
export let page: Page;
/** The errors and warnings in the console of that window. */
export let complaints: string[];
export let requests: { url: string; referer: string | undefined }[];

/** Starts a service and a browser for the calling test file, and sets the exports above for each test. */
export function withWindow(options: WindowOptions = {}): void {
  beforeAll(async () => {
    mkdirSync(SCREENSHOTS, { recursive: true });
    service = await startService();
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser.close();
    await service.stop();
  });
  beforeEach(async () => {
    party = await newParty(service);
    await openWindow(options);
  });
  afterEach(() => context.close());
}

/** Opens a new window and replaces the one before. */
export async function openWindow(options: WindowOptions): Promise<void> {
  await context?.close();
  complaints = [];
  requests = [];
  context = await browser.newContext(options);
  page = await context.newPage();
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) =>
    requests.push({ url: request.url(), referer: request.headers()['referer'] }),
  );
}

/** Lets the handler answer the next request for `path` instead of the service. Later requests reach the service. */
export const interceptOnce = (path: string, handler: (route: Route) => Promise<void>) =>
  page.route(path, handler, { times: 1 });

export const originsAsked = (): Set<string> => new Set(requests.map(({ url }) => new URL(url).origin));
export const focused = () => page.evaluate('document.activeElement.textContent');
