import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';
import { copies, whileJobWaits, worked } from './stopped.ts';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

test('however many there are, they die: more than are judged are counted as at least so many', async () => {
  const { sql } = service.database;
  const party = await newParty(service);
  const stop = (body: object) => service.request('POST', '/v1/grants/revoke', { key: party.key, body });
  const pair = await party.grant({ principalId: 'hana' });
  const few = await party.grant({ principalId: 'ivan' });
  const dry = async (body: object) => (await stop({ ...body, dryRun: true })).body;
  await copies(sql, pair.grantId, 99_999);
  expect(await dry({ principalId: 'hana' })).toEqual({ revoked: 100_000, dryRun: true });
  for (const body of [{ all: true }, { agentId: party.agentId }])
    expect(await dry(body)).toEqual({ revoked: 100_000, revokedIsEstimate: true, dryRun: true });
  await sql`delete from grants where developer_id = ${party.developerId} and id like '%\\_%\\_%' and
    substr(id, length(${pair.grantId}::text) + 2)::int >= 10000`;

  // Beside a stop that is not worked off, fewer are judged.
  await whileJobWaits(sql, async () => {
    expect((await stop({ principalId: 'ivan' })).body).toEqual({ revoked: 1, dryRun: false });
    expect(await dry({ principalId: 'hana' })).toEqual({ revoked: 10_000, dryRun: true });
    await copies(sql, few.grantId, 1);
    await sql`update grants set principal_id = 'hana' where id = ${`${few.grantId}_1`}`;
    const bounded = { revoked: 10_000, revokedIsEstimate: true, dryRun: false };
    expect((await stop({ principalId: 'hana' })).body).toEqual(bounded);
    expect(await party.verify(pair.grantToken)).toBe(false);
    // All that are judged are dead already. Nobody knows of the others, so the second stop counts for them.
    expect((await stop({ principalId: 'hana' })).body).toEqual({ ...bounded, revoked: 0 });
  });
  await worked(sql);
  const rows =
    await sql`select status, count(*)::int from grants where developer_id = ${party.developerId} group by 1`;
  expect([...rows]).toEqual([{ status: 'revoked', count: 10_002 }]);
});
