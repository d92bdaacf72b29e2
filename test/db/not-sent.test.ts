import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cable } from '../support/cable.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';

let database: TestDatabase;
let cable: Cable;
let service: TestService;
let party: Party;
beforeAll(async () => {
  database = await createTestDatabase();
  const url = new URL(database.url);
  cable = new Cable(Number(url.port));
  url.port = String(await cable.open());
  service = await startService({ database: { ...database, url: url.href } });
  party = await newParty(service);
});
afterAll(async () => {
  await service.stop();
  await cable.close();
  await database.drop();
});

const used = async () => {
  const [row] = await database.sql<{ used: number }[]>`
    select count(*)::int as used from authorization_requests where exchanged_at is not null`;
  return row?.used;
};

test('a write that could not be sent in time is 503, and is not sent later', async () => {
  const code = await party.consent();
  const body = { code, agentId: party.agentId };
  await cable.set('cut');
  await service.logged('database.connection_error');
  // New connections are taken, and then nothing is said on them.
  await cable.set('hanging');
  const { status, body: answer } = await service.request('POST', '/v1/token', { key: party.key, body });
  expect([status, answer.code]).toEqual([503, 'SERVICE_UNAVAILABLE']);
  expect(await used()).toBe(0);

  await cable.set('through');
  await waitFor(async () => (await service.request('GET', '/health')).status === 200 || undefined);
  expect(await used()).toBe(0);
  expect((await service.request('POST', '/v1/token', { key: party.key, body })).status).toBe(201);
});

test('while every connection is ended as soon as it is made, writes are 503 too', async () => {
  await cable.set('cut');
  const path = '/v1/agents';
  const statuses = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const answer = await service.request('POST', path, { key: party.key, body: { name: 'Late' } });
      return answer.status;
    }),
  );
  await cable.set('through');
  expect(new Set(statuses)).toEqual(new Set([503]));
  const [row] = await database.sql`select count(*)::int as agents from agents where name = 'Late'`;
  expect(row?.['agents']).toBe(0);
});
