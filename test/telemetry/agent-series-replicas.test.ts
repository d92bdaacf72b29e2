import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty, type Party } from '../support/flow.ts';
import type { Scrape } from '../support/scrape.ts';
import { startService, type TestService } from '../support/service.ts';

const LIMIT = 5;
const AGENTS = 10;

let database: TestDatabase;
let replicas: [TestService, TestService];
let party: Party;
beforeAll(async () => {
  database = await createTestDatabase();
  await start(LIMIT);
  party = await newParty(replicas[0]);
});
afterAll(async () => {
  await stop();
  await database.drop();
});

const stop = async () => void (await Promise.all(replicas.map((replica) => replica.stop())));
async function start(limit: number): Promise<void> {
  const env = { METRICS_AGENT_LIMIT: String(limit), PUBLIC_URL: 'https://auth.example.com' };
  replicas = await Promise.all([startService({ database, env }), startService({ database, env })]);
}

/** A new agent of the party, whose first replicas may have gone. */
const newAgent = async (): Promise<string> =>
  (await replicas[0].request('POST', '/v1/agents', { key: party.key, body: { name: 'Agent' } })).body.agentId;

/** Authorize, consent and exchange of one agent, on one replica. @returns the grant's id */
async function grant(replica: TestService, agentId: string): Promise<string> {
  const call = async (path: string, body?: unknown) =>
    (await replica.request('POST', path, { key: party.key, body })).body;
  const { authRequestId } = await call('/v1/authorize', { agentId, principalId: 'user_1', scopes: ['a'] });
  const { code } = await call(`/v1/consent/${authRequestId}/approve`);
  return (await call('/v1/token', { code, agentId })).grantId;
}

/** The numbers by agent, summed over both replicas: authorizations, exchanges, grants made and revoked. */
async function told(): Promise<Map<string, number[]>> {
  const scrapes: Scrape[] = await Promise.all(replicas.map((replica) => replica.scrape()));
  const families = ['authorize', 'token_exchange', 'grants_created', 'grants_revoked'];
  const sums = new Map<string, number[]>();
  for (const scrape of scrapes)
    for (const [index, family] of families.entries())
      for (const labels of scrape.labelSets(`grantex_agent_${family}_total`)) {
        const agentId = labels['agent_id'] ?? '';
        const row = sums.get(agentId) ?? families.map(() => 0);
        row[index] = (row[index] ?? 0) + (scrape.value(`grantex_agent_${family}_total`, labels) ?? 0);
        sums.set(agentId, row);
      }
  return sums;
}

/** The first agents by their positions. */
const admitted = async (limit: number) =>
  (
    await database.sql`select agent_id as id from agent_series where position <= ${limit} order by position`
  ).map(({ id }) => String(id));

test('two replicas, a limit of five, ten agents: sums are exact for each that has a series, also after a restart', async () => {
  const agents = await Promise.all(Array.from({ length: AGENTS }, newAgent));
  const work = async (agentIds: readonly string[]) => {
    await Promise.all(
      agentIds.flatMap((agentId) =>
        replicas.map(async (replica, index) => {
          const grants = [await grant(replica, agentId), await grant(replica, agentId)];
          // Each revokes one of its grants on the other replica, which may not have met the agent yet.
          const other = index === 0 ? replicas[1] : replicas[0];
          await other.request('DELETE', `/v1/grants/${grants[0]}`, { key: party.key });
        }),
      ),
    );
  };
  const each = [4, 4, 4, 2];
  const others = each.map((number) => number * (AGENTS - LIMIT));

  await work(agents);
  // A scrape waits only some milliseconds for the database to decide about an agent.
  await expect.poll(() => admitted(LIMIT)).toHaveLength(LIMIT);
  const first = await admitted(LIMIT);
  await expect.poll(told).toEqual(new Map([...first.map((id) => [id, each] as const), ['other', others]]));

  await stop();
  await start(LIMIT);
  // The last ones come first this time.
  await work(agents.toReversed());
  expect(await admitted(LIMIT)).toEqual(first);
  await expect.poll(told).toEqual(new Map([...first.map((id) => [id, each] as const), ['other', others]]));

  // The last events of an agent come when its row is gone, here on replicas that have not met it since their start.
  await stop();
  await start(LIMIT);
  const [gone = ''] = first;
  await replicas[1].request('DELETE', `/v1/agents/${gone}`, { key: party.key });
  await expect.poll(told).toEqual(new Map([[gone, [0, 0, 0, 4]]]));
  await grant(replicas[0], await newAgent());
  await expect.poll(told).toEqual(
    new Map([
      [gone, [0, 0, 0, 4]],
      ['other', [1, 1, 1, 0]],
    ]),
  );
});

test('a limit that is raised or lowered at a restart moves the border within the same order', async () => {
  const agents = await Promise.all(Array.from({ length: 3 }, newAgent));
  for (const agentId of agents) await grant(replicas[0], agentId);
  await expect.poll(async () => (await admitted(10_000)).slice(-3)).toEqual(agents);
  const order = await admitted(10_000);
  for (const limit of [order.length - 1, order.length - 2]) {
    await stop();
    await start(limit);
    for (const agentId of agents) await grant(replicas[1], agentId);
    const own = agents.slice(0, limit - order.length);
    await expect.poll(async () => [...(await told()).keys()].sort()).toEqual([...own, 'other'].sort());
    expect(await admitted(10_000)).toEqual(order);
  }
});
