import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { npmOutput, npmRun } from '../support/command.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';

let database: TestDatabase;
let replicas: TestService[];
let party: Party;
beforeAll(async () => {
  database = await createTestDatabase();
  replicas = await Promise.all([startService({ database }), startService({ database })]);
});
afterAll(async () => {
  await Promise.all((replicas ?? []).map((replica) => replica.stop()));
  await database?.drop();
});
beforeEach(async () => {
  party = await newParty(first());
});

function first(): TestService {
  const [one] = replicas;
  if (!one) throw new Error('no replica runs');
  return one;
}
const admin = (...args: string[]) => npmOutput('admin', args, { DATABASE_URL: database.url });

/** A number over all replicas, which only grows. */
const counted = async (name: string, labels = {}): Promise<number> => {
  const scrapes = await Promise.all(replicas.map((replica) => replica.scrape()));
  return scrapes.reduce((sum, scrape) => sum + (scrape.value(name, labels) ?? 0), 0);
};
const changes = (object: string, change: string) =>
  counted('grantex_admin_changes_total', { object, change });
/** The lines with this name and id that the replicas logged. */
const logged = (msg: string, id: string) =>
  replicas.flatMap(({ stdout }) =>
    stdout.filter((line) => line.includes(`"${msg}"`) && line.includes(id)).map((line) => JSON.parse(line)),
  );
const statusesOf = (path: string, body?: unknown) =>
  Promise.all(
    replicas.map(
      async (replica) =>
        (await replica.request(body ? 'POST' : 'GET', path, { key: party.key, body })).status,
    ),
  );

test('a suspended developer is refused by every replica at once, and let in again', async () => {
  const { grantToken, refreshToken } = await party.grant();
  const before = await changes('developer', 'suspended');
  expect(await admin('developers', 'suspend', party.developerId, '--yes')).toBe(
    `${party.developerId} is suspended\n`,
  );
  expect(await statusesOf('/v1/agents')).toEqual([401, 401]);
  const { agentId } = party;
  const asked = { agentId, principalId: 'user_1', scopes: ['calendar:read'] };
  expect(await statusesOf('/v1/authorize', asked)).toEqual([401, 401]);
  expect(await statusesOf('/v1/tokens/verify', { token: grantToken })).toEqual([401, 401]);
  expect(await statusesOf('/v1/token/refresh', { refreshToken, agentId })).toEqual([401, 401]);

  // One replica of the two counts it, once.
  await waitFor(async () => (await changes('developer', 'suspended')) === before + 1 || undefined);
  const line = await waitFor(() => logged('developer.suspended', party.developerId)[0]);
  expect([line.level, line.developerId]).toEqual(['info', party.developerId]);

  expect(await admin('developers', 'suspend', party.developerId, '--yes')).toBe(
    `${party.developerId} is suspended already\n`,
  );
  const listed = await admin('developers', 'list', party.developerId);
  expect(listed).toMatch(new RegExp(`^${party.developerId}  suspended \\S+  live  since `));
  await admin('developers', 'resume', party.developerId, '--yes');
  expect(await statusesOf('/v1/agents')).toEqual([200, 200]);
  expect(await party.verify(grantToken)).toBe(true);
  await waitFor(() => logged('developer.resumed', party.developerId)[0]);
  expect(await changes('developer', 'suspended')).toBe(before + 1);
  expect(logged('developer.suspended', party.developerId)).toHaveLength(1);
});

test('a suspended agent gets nothing until it is resumed, as by its developer', async () => {
  const { grantToken } = await party.grant();
  const before = await changes('agent', 'suspended');
  await admin('agents', 'suspend', party.agentId, '--yes');
  expect(await party.verify(grantToken)).toBe(false);
  await waitFor(async () => (await changes('agent', 'suspended')) === before + 1 || undefined);
  await waitFor(() => logged('agent.updated', party.agentId)[0]);
  expect(logged('agent.updated', party.agentId)).toMatchObject([
    { agentId: party.agentId, developerId: party.developerId, changes: ['status'] },
  ]);
  expect(await admin('agents', 'list', party.developerId)).toContain(`${party.agentId}  suspended  of`);
  await admin('agents', 'resume', party.agentId, '--yes');
  expect(await party.verify(grantToken)).toBe(true);
});

test('a grant is revoked with everything delegated from it, counted and logged by a replica', async () => {
  const parent = await party.grant();
  const child = await party.delegate(parent.grantToken);
  const other = await party.grant();
  const before = await counted('grantex_grants_revoked_total');
  expect(await admin('grants', 'revoke', parent.grantId, '--yes')).toBe(
    `${parent.grantId} is revoked, with everything delegated from it\n`,
  );
  expect(await Promise.all([parent, child, other].map(({ grantToken }) => party.verify(grantToken)))).toEqual(
    [false, false, true],
  );
  await waitFor(async () => (await counted('grantex_grants_revoked_total')) === before + 2 || undefined);
  expect(await waitFor(() => logged('grant.revoked', parent.grantId)[0])).toMatchObject({
    revokedBy: 'developer',
    cascadeCount: 1,
  });
  const rows =
    await database.sql`select status from grants where id in (${parent.grantId}, ${child.grantId})`;
  expect(rows.map(({ status }) => status)).toEqual(['revoked', 'revoked']);
  const again = await admin('grants', 'revoke', parent.grantId, '--yes');
  expect(again).toMatch(/ {2}revoked .*: nothing to revoke\n$/);
  const listed = (await admin('grants', 'list', party.agentId)).split('\n');
  expect(listed.filter((line) => line.includes('  revoked  "user_1" to ')).length).toBe(2);
  expect(
    listed.filter((line) => line.startsWith(`${other.grantId}  active  "user_1" to ${party.agentId}`)).length,
  ).toBe(1);
});

test('names with the id of somebody else in them, in any number, hide nobody', async () => {
  const { grantId } = await party.grant();
  const hostile = await newParty(first());
  const { sql } = database;
  await sql`insert into developers (id, name, mode, created_at)
    select 'dev_hides_' || n, ${party.developerId}, 'live', now() from generate_series(1, 150) n`;
  await sql`insert into agents (id, developer_id, name, description, scopes, status, created_at, updated_at)
    select 'ag_hides_' || n, ${hostile.developerId}, ${party.agentId}, '', '{}', 'active', now(), now()
    from generate_series(1, 150) n`;
  await sql`insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at, root_grant_id,
      delegation_depth)
    select 'grnt_hides_' || n, ${hostile.developerId}, ${hostile.agentId}, ${grantId}, '{}', 'active', now(),
      now() + interval '1 hour', 'grnt_hides_' || n, 0 from generate_series(1, 150) n`;
  await admin('grants', 'revoke', grantId, '--yes');
  await admin('agents', 'suspend', party.agentId, '--yes');
  await admin('developers', 'suspend', party.developerId, '--yes');
  expect(await statusesOf('/v1/agents')).toEqual([401, 401]);
  const [agent] = await sql`select status from agents where id = ${party.agentId}`;
  expect(agent?.['status']).toBe('suspended');
  await waitFor(async () => {
    const [grant] = await sql`select status from grants where id = ${grantId}`;
    return grant?.['status'] === 'revoked' || undefined;
  });
});

test('nothing happens without a yes where nobody can be asked, and what is not there is said', async () => {
  const given = await Promise.all(
    [
      ['agents', 'suspend', party.agentId],
      ['agents', 'suspend', 'ag_none', '--yes'],
      ['developers', 'list', 'nobody%'],
    ].map((args) => npmRun('admin', args, { DATABASE_URL: database.url })),
  );
  expect(given).toEqual([
    { code: 2, stdout: '', stderr: 'Nobody can be asked here: add --yes; --help says what there is\n' },
    { code: 1, stdout: '', stderr: 'there is no agent ag_none\n' },
    { code: 0, stdout: 'no developers for nobody%\n', stderr: '' },
  ]);
  // The agent still gets what it asks for.
  await party.grant();
});
