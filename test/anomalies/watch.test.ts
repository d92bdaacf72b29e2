import { expect, test } from 'vitest';
import { createTestDatabase } from '../support/database.ts';
import { newParty } from '../support/flow.ts';
import { startService, waitFor } from '../support/service.ts';

const UNDEFINED_TABLE = '42P01';

test('a step that fails every time leaves the others running, and goes on itself once it can', async () => {
  const database = await createTestDatabase();
  const { sql } = database;
  // A look that took long is followed by a long pause.
  const until = (holds: () => Promise<boolean> | boolean) =>
    waitFor(async () => (await holds()) || undefined);
  const untilFound = (type: string) =>
    until(async () => (await sql`select from anomalies where type = ${type}`).length > 0);
  await sql`alter table anomaly_scan rename to anomaly_scan_away`;
  await sql`insert into failed_exchanges (agent_id, minute, total, last_at)
    values ('ag_old', now() - interval '100 hours', 1, now() - interval '100 hours')`;
  const service = await startService({ database, env: { ANOMALY_SCAN_SECONDS: '1' } });
  try {
    const failures = () => service.logs.filter(({ msg }) => msg === 'anomaly.scan_failed');
    await until(() => failures().length > 0);
    // The step after it.
    await until(async () => (await sql`select from failed_exchanges`).length === 0);
    // The step before it.
    const party = await newParty(service);
    const { grantId } = await party.grant();
    await untilFound('new_principal');
    for (const line of failures())
      expect(line).toMatchObject({ level: 'warn', error: { code: UNDEFINED_TABLE } });

    // Only a look at all agents can know of this.
    await sql`update grants set delegation_depth = 3 where id = ${grantId}`;
    await sql`alter table anomaly_scan_away rename to anomaly_scan`;
    await untilFound('cascade_delegation');
  } finally {
    await service.stop();
    await database.drop();
  }
});
