import { afterAll, beforeAll, expect, test } from 'vitest';
import { startService, type TestService } from '../support/service.ts';

let service: TestService;
beforeAll(async () => {
  service = await startService({ env: { RATE_LIMIT_ENABLED: 'true', RATE_LIMITS: 'consent=1/60' } });
});
afterAll(() => service.stop());

test('a person who asks too often gets a page, a program the envelope', async () => {
  const first = await service.request('GET', '/consent?req=areq_x');
  expect([first.status, first.body]).toEqual([404, expect.stringContaining('We do not know this request')]);
  const second = await service.request('GET', '/consent?req=areq_x');
  expect([second.status, second.body]).toEqual([429, expect.stringContaining('Too many requests')]);
  expect(second.headers.get('retry-after')).toMatch(/^\d+$/);
  expect(second.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
  const api = await service.request('GET', '/v1/consent/areq_x');
  expect([api.status, api.body.code]).toEqual([429, 'RATE_LIMITED']);
});
