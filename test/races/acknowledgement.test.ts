import { afterAll, beforeAll, expect, test } from 'vitest';
import { list, listed } from '../anomalies/anomalies-of.ts';
import { newParty } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';

let service: TestService;
beforeAll(async () => {
  service = await startService({ env: { ANOMALY_SCAN_SECONDS: '86400' } });
});
afterAll(() => service.stop());

/** A look that has found it and is about to store it, when somebody's acknowledgement of it is not yet committed. */
test('a look that waits for an acknowledgement opens nothing again', async () => {
  const { sql } = service.database;
  const party = await newParty(service);
  await party.grant({ principalId: 'user_1' });
  const [anomaly] = await listed(service, party, 'new_principal');
  const acknowledgement = await sql.reserve();
  await acknowledgement`begin`;
  await acknowledgement`update anomalies set acknowledged_at = now() where id = ${anomaly?.id ?? ''}`;
  const look = service.request('POST', '/v1/anomalies/detect', { key: party.key });
  await waitFor(async () => {
    const waiting = await sql`select from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`;
    return waiting.length > 0 || undefined;
  });
  await acknowledgement`commit`;
  acknowledgement.release();
  expect((await look).body).toMatchObject({ total: 0, anomalies: [] });
  expect(await list(service, party, '?unacknowledged=true')).toEqual([]);
  expect(await list(service, party)).toHaveLength(1);
});
