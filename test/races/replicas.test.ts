import { afterAll, beforeAll, expect, test } from 'vitest';
import { migrate } from '../../src/db/migrate.ts';
import { firstBrokenEntry } from '../support/audit-chain.ts';
import { npmOutput } from '../support/command.ts';
import { createTestDatabase } from '../support/database.ts';
import { newParty, type Party } from '../support/flow.ts';
import { SECRET_KEY, startService, type TestService } from '../support/service.ts';
import { isNoAnswer, type Replicas, startReplicas } from './replicas.ts';

let replicas: Replicas;
beforeAll(async () => {
  replicas = await startReplicas();
});
afterAll(() => replicas.stop());

const at = (n: number) => replicas.both[n % 2] as TestService;

test('API keys rotated under load: whoever begins after the answer with an old key is refused, everywhere', async () => {
  const party = await newParty(at(0));
  const { grantToken: token } = await party.grant();
  const body = { token, agentId: party.agentId, principalId: 'user_1', scopes: ['calendar:read'] };
  /** Looked up before the handler, and within its own statement. */
  const routes = [
    ['GET', '/v1/me'],
    ['POST', '/v1/tokens/verify'],
    ['POST', '/v1/authorize'],
  ] as const;
  const keys = [party.key];
  let rotating = true;
  const seen: { outdated: boolean; status: number }[] = [];
  const callers = Array.from({ length: 8 }, async (_, n) => {
    for (let turn = n; rotating; turn++) {
      // Each second time the key before the newest one.
      const generation = Math.max(0, keys.length - 1 - (turn % 2));
      const outdated = generation < keys.length - 1;
      const [method, path] = routes[turn % routes.length] as (typeof routes)[number];
      const { status } = await at(turn).request(method, path, {
        key: keys[generation],
        ...(method === 'POST' && { body }),
      });
      seen.push({ outdated, status });
    }
  });
  for (let n = 0; n < 20; n++) {
    const { status, body } = await at(n).request('POST', '/v1/keys/rotate', { key: keys.at(-1) });
    expect(status).toBe(200);
    keys.push(body.apiKey);
  }
  rotating = false;
  await Promise.all(callers);
  expect(seen.filter(({ outdated, status }) => outdated && status !== 401)).toEqual([]);
  expect(seen.some(({ outdated }) => outdated)).toBe(true);
  // Who began with the key in force has passed, or was overtaken by the rotation under way.
  expect(seen.filter(({ status }) => ![200, 201, 401].includes(status))).toEqual([]);
  expect(seen.some(({ status }) => status < 300)).toBe(true);
});

test('64 audit writers of two developers on two processes: two whole chains, each writer in its order', async () => {
  const parties = await Promise.all([newParty(at(0)), newParty(at(1))]);
  const grants = await Promise.all(parties.map((party) => party.grant()));
  const WRITERS = 64;
  const EACH = 3;
  const written = await Promise.all(
    Array.from({ length: WRITERS }, async (_, n) => {
      const { key, agentId } = parties[n % 2] as Party;
      const entryIds: string[] = [];
      for (let turn = 0; turn < EACH; turn++) {
        const answer = await at((n >> 1) + turn).request('POST', '/v1/audit/log', {
          key,
          body: { agentId, grantId: grants[n % 2]?.grantId, action: `act.${n}`, metadata: { turn } },
        });
        // An entry of which nobody knows may yet come, and is then part of the chain like any other.
        if (isNoAnswer(answer)) continue;
        expect(answer.status).toBe(201);
        entryIds.push(answer.body.entryId);
      }
      return entryIds;
    }),
  );
  for (const [p, { key }] of parties.entries()) {
    const path = '/v1/audit/entries?pageSize=100';
    const { body } = await at(p).request('GET', path, { key });
    const chain = body.entries.reverse();
    expect(chain).toHaveLength(body.total);
    expect(firstBrokenEntry(chain)).toBeNull();
    expect(new Set(chain.map(({ prevHash }: { prevHash: string }) => prevHash)).size).toBe(chain.length);
    const ids: string[] = chain.map(({ entryId }: { entryId: string }) => entryId);
    for (const own of written.filter((_, n) => n % 2 === p))
      expect(ids.filter((id) => own.includes(id))).toEqual(own);
  }
  expect(written.flat().length).toBeGreaterThan(WRITERS);
});

test('migrations at once, by a command, a starting service and two callers: each is applied once, and all go on', async () => {
  const database = await createTestDatabase();
  try {
    await database.sql.unsafe('drop schema public cascade; create schema public');
    const [service, command, ...calls] = await Promise.all([
      startService({ database }),
      npmOutput('migrate', [], { DATABASE_URL: database.url, SECRET_KEY }),
      migrate(database.url),
      migrate(database.url),
    ]);
    const { key } = await newParty(service).finally(() => service.stop());
    expect(key.slice(0, 8)).toBe('gx_live_');
    const told = [command.startsWith('applied'), ...calls.map(({ applied }) => applied.length > 0)];
    expect(told.filter(Boolean).length).toBeLessThanOrEqual(1);
    const [row] = await database.sql`
      select count(*)::int as times, count(distinct name)::int as names from schema_migrations`;
    expect([row?.['times'], await migrate(database.url)]).toEqual([row?.['names'], { applied: [] }]);
  } finally {
    await database.drop();
  }
});
