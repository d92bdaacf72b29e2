import { afterAll, beforeAll, expect, test } from 'vitest';
import { rowsByCallers } from '../support/fingerprint.ts';
import { newParty } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';
import { FOREIGN_IDS } from './foreign-ids.ts';
import { makeWorld, type World } from './world.ts';

let service: TestService;
let world: World;
beforeAll(async () => {
  service = await startService();
  world = await makeWorld(service);
});
afterAll(() => service.stop());

/** Every row of every table, and the counters of what happened. */
async function everything(): Promise<unknown> {
  const { sql } = service.database;
  const tables = await sql<{ name: string }[]>`
    select table_name as name from information_schema.tables where table_schema = 'public' order by 1`;
  const rows = await Promise.all(
    tables.map(async ({ name }) => {
      const of = await sql.unsafe<{ row: string }[]>(
        `select t::text as row from (${rowsByCallers(name)}) t order by 1`,
      );
      return [name, ...of.map(({ row }) => row)];
    }),
  );
  const revoked = (await service.scrape()).value('grantex_grants_revoked_total');
  return { rows, revoked };
}

test.each(FOREIGN_IDS)(
  "%s of another developer's: as if it were not there, and nothing changes",
  async (...row) => {
    const [, [status, body], question] = row;
    const { method, path, key = world.stranger.key, body: sent } = question(world);
    const before = await everything();
    const answer = await service.request(method, path, { key, body: sent });
    expect([answer.status, answer.body]).toEqual([status, expect.objectContaining(body)]);
    const told = JSON.stringify(answer.body);
    for (const secret of [world.owner.developerId, world.pair.grantId, world.jti])
      expect(told).not.toContain(secret);
    expect(await everything()).toEqual(before);
  },
);

test('a live developer is told no more of a foreign request than of his own', async () => {
  const live = await newParty(service);
  const ids = [world.pendingId, (await live.authorize()).authRequestId, 'areq_unknown'];
  const before = await everything();
  for (const id of ids)
    for (const verb of ['approve', 'deny']) {
      const { status, body } = await service.request('POST', `/v1/authorize/${id}/${verb}`, {
        key: live.key,
      });
      expect([status, body.code]).toEqual([403, 'CONSENT_REQUIRED']);
    }
  expect(await everything()).toEqual(before);
});

const LISTS = ['agents', 'grants', 'audit/entries', 'policies', 'webhooks', 'anomalies'].map(
  (name) => `/v1/${name}`,
);

test('lists hold nothing of anybody else', async () => {
  for (const path of LISTS) {
    const { status, body } = await service.request('GET', path, { key: world.stranger.key });
    expect(status).toBe(200);
    for (const foreign of [world.owner.developerId, world.policyId, world.webhookId, world.anomalyId])
      expect(JSON.stringify(body)).not.toContain(foreign);
  }
});

test('a session shows nothing of another developer, nor of another principal', async () => {
  for (const [key, grants] of [
    [world.strangersSession, [world.own.grantId]],
    [world.otherPrincipalsSession, []],
  ] as const) {
    const shown = await service.request('GET', '/v1/principal/grants', { key });
    expect(shown.body.grants.map(({ id }: { id: string }) => id)).toEqual(grants);
    const audit = await service.request('GET', '/v1/principal/audit', { key });
    expect([audit.status, audit.body.entries]).toEqual([200, []]);
  }
});

test('the owner can do all of it: the ids above are alive', async () => {
  const { owner, pair, code, pendingId, entryId, policyId } = world;
  const get = async (path: string) => (await service.request('GET', path, { key: owner.key })).status;
  expect(await get(`/v1/agents/${owner.agentId}`)).toBe(200);
  expect(await get(`/v1/grants/${pair.grantId}`)).toBe(200);
  expect(await get(`/v1/audit/${entryId}`)).toBe(200);
  expect(await get(`/v1/policies/${policyId}`)).toBe(200);
  expect(await get(`/v1/webhooks/${world.webhookId}/deliveries`)).toBe(200);
  expect(await get(`/v1/consent/${pendingId}`)).toBe(200);
  const seen = `/v1/anomalies/${world.anomalyId}/acknowledge`;
  expect((await service.request('PATCH', seen, { key: owner.key })).status).toBe(200);
  expect(await owner.verify(pair.grantToken)).toBe(true);
  expect((await owner.exchange(code)).grantId).toMatch(/^grnt_/);
});

interface Operation {
  readonly security: readonly unknown[];
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: {
    readonly content: Record<string, { readonly schema: { readonly properties: Record<string, unknown> } }>;
  };
}

/** A member that names an object of a developer's. A principal is nobody's object. */
const namesAnObject = (name: string) => /(^id|Id|^jti|^code|[tT]oken)$/.test(name) && name !== 'principalId';

test('the table has every route of /openapi.json and every id that it takes', async () => {
  const { body } = await service.request('GET', '/openapi.json');
  const taken = Object.entries<Record<string, Operation>>(body.paths).flatMap(([path, operations]) =>
    Object.entries(operations)
      .filter(([, { security }]) => security.length > 0)
      .flatMap(([method, { parameters, requestBody }]) =>
        [
          ...parameters.filter((one) => one.in === 'path' || namesAnObject(one.name)).map(({ name }) => name),
          ...Object.values(requestBody?.content ?? {})
            .flatMap(({ schema }) => Object.keys(schema.properties))
            .filter(namesAnObject),
        ].map((name) => `${method.toUpperCase()} ${path} ${name}`),
      ),
  );
  expect(taken.length).toBeGreaterThan(20);
  expect([...new Set(FOREIGN_IDS.map(([what]) => what.replace(/ \(.*\)$/, '')))].sort()).toEqual(
    taken.sort(),
  );
});
