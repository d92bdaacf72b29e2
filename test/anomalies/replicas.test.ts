import { expect, test } from 'vitest';
import { createTestDatabase } from '../support/database.ts';
import { newParty } from '../support/flow.ts';
import { sumOver } from '../support/ledger.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';
import { detected, list } from './anomalies-of.ts';

test('two replicas: each anomaly is opened and counted once, and a restart counts nothing again', async () => {
  const database = await createTestDatabase();
  const env = { ANOMALY_SCAN_SECONDS: '1' };
  const replicas = await Promise.all([startService({ database, env }), startService({ database, env })]);
  const [one, two] = replicas as [TestService, TestService];
  try {
    const party = await newParty(one);
    await Promise.all(Array.from({ length: 10 }, (_, n) => party.grant({ principalId: `user_${n}` })));
    // Both look at the same facts at the same time, asked or not.
    for (let n = 0; n < 10; n++)
      await Promise.all(
        replicas.map((replica) => replica.request('POST', '/v1/anomalies/detect', { key: party.key })),
      );
    const rows = await database.sql`select type, count(*)::int as total from anomalies group by type`;
    expect(rows).toEqual([{ type: 'new_principal', total: 10 }]);
    expect(
      await sumOver(replicas, 'grantex_anomalies_detected_total', { type: 'new_principal', severity: 'low' }),
    ).toBe(10);

    // Of what happened in the database alone only the scan can know.
    await database.sql`insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at,
        root_grant_id, delegation_depth)
      values ('grnt_deep', ${party.developerId}, ${party.agentId}, 'user_1', '{a}', 'active', now(),
        now() + interval '1 day', 'grnt_deep', 3)`;
    await waitFor(
      async () =>
        (await database.sql`select from anomalies where type = 'cascade_delegation'`).length === 1 ||
        undefined,
      15_000,
    );
    const deep = { type: 'cascade_delegation', severity: 'high' };
    const sum = await waitFor(
      async () => (await sumOver(replicas, 'grantex_anomalies_detected_total', deep)) || undefined,
    );
    expect(sum).toBe(1);

    expect(await two.stop()).toBe(0);
    const later = await startService({ database, env });
    try {
      const [scan] = await database.sql`select begun_at from anomaly_scan`;
      await waitFor(
        async () =>
          (await database.sql`select from anomaly_scan where begun_at > ${scan?.['begun_at']}`).length ===
            1 || undefined,
        15_000,
      );
      await later.request('POST', '/v1/anomalies/detect', { key: party.key });
      for (const { type, severity } of await list(later, party))
        expect(await detected(later, type, severity)).toBe(0);
      expect((await later.scrape()).value('grantex_anomalies_unacknowledged')).toBe(11);
    } finally {
      await later.stop();
    }
  } finally {
    await one.stop();
    await two.stop();
    await database.drop();
  }
});

test('two replicas look at all agents once in each period, not once each', async () => {
  const database = await createTestDatabase();
  await database.sql.unsafe(`create table begun (at timestamptz not null);
    create function note_begun() returns trigger language plpgsql as $$
      begin insert into begun values (new.begun_at); return new; end $$;
    create trigger note_begun after update on anomaly_scan for each row execute function note_begun()`);
  const env = { ANOMALY_SCAN_SECONDS: '1' };
  const replicas = await Promise.all([startService({ database, env }), startService({ database, env })]);
  try {
    const scans = await waitFor(async () => {
      const rows = await database.sql<{ apart: number | null }[]>`
        select extract(epoch from at - lag(at) over (order by at))::float as apart from begun`;
      return rows.length >= 6 ? rows : undefined;
    });
    for (const { apart } of scans) expect(apart ?? 1).toBeGreaterThanOrEqual(1);
  } finally {
    await Promise.all(replicas.map((replica) => replica.stop()));
    await database.drop();
  }
});
