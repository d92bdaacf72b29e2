import { afterAll, beforeAll, expect, test } from 'vitest';
import { FAMILIES } from '../../src/telemetry/families.ts';
import { newParty } from '../support/flow.ts';
import type { Scrape } from '../support/scrape.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';
import { HOOK_ENV, hook } from '../webhooks/hooks.ts';
import { startReceiver } from '../webhooks/receiver.ts';

let service: TestService;
beforeAll(async () => {
  service = await startService({ env: HOOK_ENV });
});
afterAll(() => service.stop());

const ATTEMPT = '0.01 0.05 0.1 0.25 0.5 1 2.5 5 +Inf';
/** Name, type, labels and boundaries, as dashboards and alerts are written against. */
const SEED = [
  ['grantex_token_exchange_total', 'counter', 'status', ''],
  ['grantex_authorize_total', 'counter', 'status', ''],
  ['grantex_grants_revoked_total', 'counter', '', ''],
  ['grantex_webhook_deliveries_total', 'counter', 'status', ''],
  ['grantex_anomalies_detected_total', 'counter', 'severity type', ''],
  ['grantex_authorize_duration_seconds', 'histogram', '', ATTEMPT],
  ['grantex_token_exchange_duration_seconds', 'histogram', '', ATTEMPT],
  [
    'grantex_http_request_duration_seconds',
    'histogram',
    'method route status_code',
    '0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 +Inf',
  ],
  ['grantex_active_grants', 'gauge', '', ''],
  ['grantex_anomalies_unacknowledged', 'gauge', '', ''],
];

function describeFamily(scrape: Scrape, name: string): string[] {
  const type = new RegExp(`^# TYPE ${name} (\\w+)$`, 'm').exec(scrape.text)?.[1] ?? 'missing';
  const sets = scrape.labelSets(type === 'histogram' ? `${name}_bucket` : name);
  const labels = new Set(sets.flatMap((set) => Object.keys(set)).filter((label) => label !== 'le'));
  const boundaries = new Set(sets.flatMap(({ le = '' }) => le));
  return [name, type, [...labels].sort().join(' '), [...boundaries].join(' ')];
}

test('the ten metrics of the seed are all there: names, types, labels and boundaries, with the values of one flow', async () => {
  const receiver = await startReceiver();
  const party = await newParty(service);
  await hook(service, party, receiver.url, ['grant.created']);
  const { grantId } = await party.grant();
  await service.request('DELETE', `/v1/grants/${grantId}`, { key: party.key });
  await receiver.until(1);
  const delivered = { status: 'delivered' };
  const scrape = await waitFor(async () => {
    const now = await service.scrape();
    const ready =
      now.value('grantex_anomalies_unacknowledged') === 1 &&
      now.value('grantex_webhook_deliveries_total', delivered) === 1;
    return ready ? now : undefined;
  });
  await receiver.close();
  const known = FAMILIES.flatMap(({ name, perAgent }) => [name, perAgent?.name]);
  expect(scrape.families.filter((name) => name !== 'target_info' && !known.includes(name))).toEqual([]);
  expect(SEED.map(([name = '']) => describeFamily(scrape, name))).toEqual(SEED);
  expect(scrape.value('grantex_token_exchange_total', { status: 'success' })).toBe(1);
  expect(scrape.value('grantex_authorize_total', { status: 'success' })).toBe(1);
  expect(scrape.value('grantex_grants_revoked_total')).toBe(1);
  expect(scrape.value('grantex_authorize_duration_seconds_count')).toBe(1);
  expect(scrape.value('grantex_token_exchange_duration_seconds_count')).toBe(1);
  expect(scrape.value('grantex_active_grants')).toBe(0);
  const found = { type: 'new_principal', severity: 'low' };
  expect(scrape.value('grantex_anomalies_detected_total', found)).toBe(1);
});
