import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cable } from '../support/cable.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';

let database: TestDatabase;
let cable: Cable;
let service: TestService;
beforeAll(async () => {
  database = await createTestDatabase();
  const url = new URL(database.url);
  cable = new Cable(Number(url.port));
  url.port = String(await cable.open());
  service = await startService({ database, env: { DATABASE_URL: url.href } });
});
afterAll(async () => {
  await service.stop();
  await cable.close();
  await database.drop();
});

/** Two seconds are promised, by a time-out of the service; the rest is for a busy machine. The database hangs for longer. */
const ANSWER_MS = 5000;

const timed = async (path: string) => {
  const begun = performance.now();
  const { status, body } = await service.request('GET', path);
  return { status, body, ms: performance.now() - begun };
};

test.each(['hanging', 'cut'] as const)(
  'a database that is %s: told in time, live all the same, and over when it is over',
  async (state) => {
    const party = await newParty(service);
    const { grantToken } = await party.grant();
    expect((await timed('/health')).body).toEqual({ status: 'ok' });
    await cable.set(state);
    const [health, ready, live] = await Promise.all([
      timed('/health'),
      timed('/health/ready'),
      timed('/health/live'),
    ]);
    for (const answer of [health, ready]) {
      expect([answer.status, answer.body]).toEqual([503, { status: 'degraded', failing: ['database'] }]);
      expect(answer.ms).toBeLessThan(ANSWER_MS);
    }
    expect([live.status, live.body]).toEqual([200, { status: 'ok' }]);
    const before = (await service.scrape()).value('grantex_token_exchange_total', { status: 'error' }) ?? 0;
    const [verified, exchanged] = await Promise.all([
      service.request('POST', '/v1/tokens/verify', { key: party.key, body: { token: grantToken } }),
      service.request('POST', '/v1/token', { key: party.key, body: { code: 'x', agentId: party.agentId } }),
    ]);
    expect([verified.status, verified.body.code]).toEqual([503, 'SERVICE_UNAVAILABLE']);
    expect([500, 503]).toContain(exchanged.status);
    expect((await service.scrape()).value('grantex_token_exchange_total', { status: 'error' })).toBe(
      before + 1,
    );
    await cable.set('through');
    await waitFor(async () => (await timed('/health')).status === 200 || undefined);
    expect(
      await waitFor(async () => (await party.verify(grantToken).catch(() => undefined)) || undefined),
    ).toBe(true);
  },
);

test('connections that are lost are logged with error and pool, and with no request: whichever opened them has ended', async () => {
  const lines = await service.logged('database.connection_error');
  for (const line of lines)
    expect(line).toEqual({
      level: 'error',
      timestamp: expect.any(String),
      msg: 'database.connection_error',
      error: expect.any(String),
      pool: expect.stringMatching(/^(main|side|background)$/),
    });
});

test('METRICS_ENABLED=false: no /metrics; METRICS_PORT and METRICS_API_KEY: another port, and a key', async () => {
  const off = await startService({ database, env: { METRICS_ENABLED: 'false' } });
  expect((await off.request('GET', '/metrics')).status).toBe(404);
  expect((await off.request('GET', '/health')).status).toBe(200);
  expect((await off.logged('service.started'))[0]).not.toHaveProperty('metricsPort');
  await off.stop();
  const apart = await startService({ database, env: { METRICS_PORT: '0', METRICS_API_KEY: 'scrape-me' } });
  expect((await apart.request('GET', '/metrics')).status).toBe(404);
  const [started] = await apart.logged('service.started');
  const url = `http://127.0.0.1:${started?.['metricsPort']}/metrics`;
  expect((await fetch(url)).status).toBe(401);
  const scraped = await fetch(url, { headers: { authorization: 'Bearer scrape-me' } });
  expect(scraped.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(await scraped.text()).toContain('grantex_authorize_total{status="denied"} 0');
  await apart.stop();
});
