import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { createTestDatabase } from '../support/database.ts';
import { holdRequest } from '../support/hold-request.ts';
import { parseScrape, type Scrape } from '../support/scrape.ts';
import { startService, waitFor } from '../support/service.ts';

/** So long that a busy machine, too, answers some requests meanwhile. */
const DELAY_MS = 2_000;

/** Scrapes as a Prometheus does, on one connection that is kept. */
function scraper(url: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  return () =>
    new Promise<Scrape>((resolve, reject) => {
      const asking = request(`${url}/metrics`, { agent }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        answer.once('end', () => resolve(parseScrape(text)));
      });
      asking.once('error', reject).end();
    });
}

test('for SHUTDOWN_DELAY_MS a process accepts and is not ready; then it refuses, and is scraped until its last request has ended', async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const service = await startService({ database, env: { SHUTDOWN_DELAY_MS: String(DELAY_MS) } });
  onTestFinished(() => void service.process.kill('SIGKILL'));
  const scrape = scraper(service.url);
  await scrape();
  const { apiKey: key } = await service.signup();
  const release = await holdRequest(service, key);
  const exit = once(service.process, 'exit');
  const begun = performance.now();
  service.process.kill('SIGTERM');
  await service.logged('service.stopping');
  const seen = { ready: new Set<number>(), accepted: new Set<number>() };
  const refused = await waitFor(async () => {
    const [ready, accepted] = await Promise.all([
      service.request('GET', '/health/ready'),
      service.request('GET', '/v1/me', { key }),
    ]).catch(() => []);
    if (!ready || !accepted) return performance.now();
    seen.ready.add(ready.status);
    seen.accepted.add(accepted.status);
    return undefined;
  });
  expect(refused - begun).toBeGreaterThanOrEqual(DELAY_MS);
  expect([...seen.ready, ...seen.accepted]).toEqual([503, 200]);
  const answered = (await scrape()).value('grantex_http_request_duration_seconds_count', {
    method: 'GET',
    route: '/v1/me',
    status_code: '200',
  });
  expect(answered).toBeGreaterThan(0);
  release();
  expect((await exit)[0]).toBe(0);
});
