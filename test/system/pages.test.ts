import { afterAll, beforeAll, expect, test } from 'vitest';
import { SERVICE_VERSION } from '../../src/version.ts';
import { startService, type TestService } from '../support/service.ts';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service?.stop());

const open = async (path: string) => {
  const response = await fetch(service.url + path);
  return { response, page: await response.text() };
};

test.each(['/', '/docs'])(
  '%s is a page without a script, under the policy of the consent page',
  async (path) => {
    const { response, page } = await open(path);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const consent = await fetch(`${service.url}/consent?req=none`);
    const policy = response.headers.get('content-security-policy');
    expect(policy).toMatch(/^default-src 'none';/);
    expect(policy).toBe(consent.headers.get('content-security-policy'));
    expect(page).not.toMatch(/<script|<style| style=| on\w+=/);
    const [style = ''] = /assets\/\w+\/front\.css/.exec(page) ?? [];
    expect((await fetch(`${service.url}/${style}`)).headers.get('content-type')).toBe(
      'text/css; charset=utf-8',
    );
  },
);

test('the page at the address says version and state, and every link opens', async () => {
  const { page } = await open('/');
  expect(page).toContain(`<dd>${SERVICE_VERSION}</dd>`);
  expect(page).toContain('It works.');
  const links = Array.from(page.matchAll(/<a href="([^"]+)"/g), ([, href = '']) => href);
  expect(links).toEqual(['health', 'docs', 'openapi.json', '.well-known/jwks.json']);
  for (const link of links) expect((await fetch(`${service.url}/${link}`)).status, link).toBe(200);
});

test('the page of the API has every operation of openapi.json with the members of its body', async () => {
  const { page } = await open('/docs');
  const { body } = await service.request('GET', '/openapi.json');
  const operations = Object.entries<Record<string, unknown>>(body.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `<code>${method.toUpperCase()} ${path}</code>`),
  );
  expect(operations.length).toBeGreaterThan(30);
  for (const operation of operations) expect(page).toContain(operation);
  const [, exchange = ''] = page.split('<code>POST /v1/token</code>');
  expect(exchange.slice(0, exchange.indexOf('</article>'))).toMatch(
    /<code>code<\/code><\/td><td>string[^<]*<\/td><td>yes<[\s\S]*Answers: 201\. Refusals: 400, 401, /,
  );
  // What has a default may be left out.
  expect(page).toMatch(/<code>pageSize<\/code><\/td><td>[^<]*<\/td><td>no</);
});

test('requests to the pages have labels of their own', async () => {
  await open('/');
  await open('/docs');
  const scrape = await service.scrape();
  for (const route of ['/', '/docs'])
    expect(
      scrape.value('grantex_http_request_duration_seconds_count', {
        method: 'GET',
        route,
        status_code: '200',
      }),
    ).toBeGreaterThan(0);
});
