import { afterAll, beforeAll, expect, test } from 'vitest';
import { printTable } from '../load/table.ts';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';

const MEBIBYTE = 1 << 20;
/** A page of a hundred, each with 8 KiB of scopes: the most that the contract allows. */
const GRANTS = 100;
const ROUNDS = 5;

let service: TestService;
let party: Party;
beforeAll(async () => {
  service = await startService();
  party = await newParty(service);
  await service.database.sql`
    insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at, root_grant_id,
      delegation_depth)
    select 'grnt_large' || n, ${party.developerId}, ${party.agentId}, 'user_1',
      (select array_agg(rpad('calendar:read:' || m, 256, 'x')) from generate_series(1, 32) m), 'active', now(),
      now() + interval '1 day', 'grnt_large' || n, 0
    from generate_series(1, ${GRANTS}::int) n`;
});
afterAll(() => service.stop());

test('the largest page of a list of grants has a bounded size; how long it holds the event loop is printed', async () => {
  const { sessionToken } = (
    await service.request('POST', '/v1/principal-sessions', {
      key: party.key,
      body: { principalId: 'user_1' },
    })
  ).body;
  const rows: Record<string, string | number>[] = [];
  for (const [path, key] of [
    ['/v1/grants?pageSize=100', party.key],
    ['/v1/principal/grants?pageSize=100', sessionToken],
  ] as const) {
    await service.request('GET', path, { key });
    // The maximum begins anew with each scrape.
    await service.scrape();
    let bytes = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const { status, body } = await service.request('GET', path, { key });
      expect([status, body.grants.length]).toEqual([200, GRANTS]);
      bytes = Buffer.byteLength(JSON.stringify(body));
    }
    const longest = (await service.scrape()).value('nodejs_eventloop_delay_max_seconds') ?? -1;
    rows.push({ path, KiB: Math.round(bytes / 1024), 'longest hold ms': Math.round(longest * 1000) });
    expect(bytes).toBeLessThan(2.5 * MEBIBYTE);
  }
  printTable('the largest pages', rows);
});
