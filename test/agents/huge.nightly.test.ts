import { afterAll, beforeAll, expect, test } from 'vitest';
import { printTable } from '../load/table.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty, type Party } from '../support/flow.ts';
import { ledgerOf } from '../support/ledger.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';

const HUGE = Number(process.env['HUGE_GRANTS'] ?? 1_000_000);
const LARGE = HUGE / 10;
const MINUTE = 60_000;

let database: TestDatabase;
let service: TestService;
let party: Party;
beforeAll(async () => {
  database = await createTestDatabase();
  service = await startService({ database });
  party = await newParty(service);
});
afterAll(async () => {
  await service.stop();
  await database.drop();
});

/** Copies of a grant: siblings under the same parent. */
const copyGrant = async (grantId: string, count: number) => {
  await database.sql`insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at,
      parent_grant_id, root_grant_id, delegation_depth)
    select id || '_' || n, developer_id, agent_id, principal_id, scopes, 'active', issued_at - n * interval '1 ms', expires_at,
      parent_grant_id, case when parent_grant_id is null then id || '_' || n else root_grant_id end, delegation_depth
    from grants, generate_series(1, ${count}::int) n where id = ${grantId}`;
  await database.sql`analyze grants`;
};

interface Removed {
  readonly what: string;
  readonly grants: number;
  readonly path: string;
  readonly token: string;
  /** The job is awaited. */
  readonly whole: boolean;
}

async function remove({ what, grants, path, token, whole }: Removed) {
  const { revoked } = await ledgerOf(database);
  const begun = performance.now();
  expect((await service.request('DELETE', path, { key: party.key })).status).toBe(204);
  const answered = performance.now() - begun;
  expect(await party.verify(token)).toBe(false);
  if (whole)
    await waitFor(async () => {
      const [row] = await database.sql`select count(*)::int as open from removals where finished_at is null`;
      return row?.['open'] === 0 || undefined;
    }, 10 * MINUTE);
  if (whole) expect((await ledgerOf(database)).revoked).toBe(revoked + grants);
  const done = whole ? Math.round((performance.now() - begun) / 1000) : '';
  return { what, grants, 'answer ms': Math.round(answered), 'worked off after s': done };
}

test('deletions of huge agents and trees answer at once, however many grants they have', {
  timeout: 20 * MINUTE,
}, async () => {
  const sub = await party.newAgent();
  const root = await party.grant({ agentId: await party.newAgent() });
  const child = await party.delegate(root.grantToken, { subAgentId: sub });
  await copyGrant(child.grantId, LARGE);
  const agentOf = async (count: number) => {
    const agentId = await party.newAgent();
    const { grantId, grantToken } = await party.grant({ agentId });
    await copyGrant(grantId, count);
    return { what: 'an agent', grants: count + 1, path: `/v1/agents/${agentId}`, token: grantToken };
  };
  const removals: Removed[] = [
    {
      what: 'a tree',
      grants: LARGE + 2,
      path: `/v1/grants/${root.grantId}`,
      token: child.grantToken,
      whole: true,
    },
    { ...(await agentOf(LARGE)), whole: true },
    { ...(await agentOf(HUGE)), whole: false },
  ];
  const rows = [];
  for (const removal of removals) rows.push(await remove(removal));
  printTable('deletions', rows);
});
