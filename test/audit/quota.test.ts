import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty, type Party } from '../support/flow.ts';
import { type Answer, startService, type TestService, untilAvailable } from '../support/service.ts';

const QUOTA = 20;

let database: TestDatabase;
let services: [TestService, TestService];
beforeAll(async () => {
  database = await createTestDatabase();
  const start = () => startService({ database, env: { MAX_AUDIT_ENTRIES_PER_DAY: String(QUOTA) } });
  services = await Promise.all([start(), start()]);
});
afterAll(async () => {
  await Promise.all(services.map((service) => service.stop()));
  await database.drop();
});

interface Writer {
  readonly party: Party;
  log(n?: number): Promise<Answer>;
  total(): Promise<number>;
}

async function newWriter(): Promise<Writer> {
  const party = await newParty(services[0]);
  const { grantId } = await party.grant();
  const body = { agentId: party.agentId, grantId, action: 'mail.sent' };
  return {
    party,
    log: (n = 0) =>
      untilAvailable(() =>
        services[n % 2 === 0 ? 0 : 1].request('POST', '/v1/audit/log', { key: party.key, body }),
      ),
    total: async () => (await services[0].request('GET', '/v1/audit/entries', { key: party.key })).body.total,
  };
}

/** What the head of a chain counts. */
async function counted({ party }: Writer) {
  const [row] = await database.sql`
    select day::text, entries_of_day as entries from audit_heads where developer_id = ${party.developerId}`;
  return row;
}
/** Lets a chain without entries count for a day other than today, which may end while a test runs. */
const countFor = ({ party }: Writer, day: string, entries: number) =>
  database.sql`insert into audit_heads (developer_id, day, entries_of_day)
    values (${party.developerId}, ${day}, ${entries})`;

const EXCEEDED = {
  code: 'PLAN_LIMIT_EXCEEDED',
  message: 'A developer has at most 20 audit entries a day (UTC)',
};

test('of 48 writers on two replicas exactly as many get in as the day has room for, and nobody else is held up', async () => {
  const [writer, other] = [await newWriter(), await newWriter()];
  await countFor(writer, '9999-12-31', 0);
  const answers = await Promise.all(Array.from({ length: 48 }, (_, n) => writer.log(n)));
  const refused = answers.filter(({ status }) => status !== 201);
  expect(refused.map(({ status }) => status)).toEqual(Array(48 - QUOTA).fill(402));
  for (const { body } of refused) expect(body).toMatchObject(EXCEEDED);
  expect([await writer.total(), await counted(writer)]).toEqual([
    QUOTA,
    { day: '9999-12-31', entries: QUOTA },
  ]);
  expect((await other.log()).status).toBe(201);
});

test('a new day begins with nothing', async () => {
  const writer = await newWriter();
  await countFor(writer, '2020-02-29', QUOTA);
  const { status, body } = await writer.log();
  expect(status).toBe(201);
  expect(await counted(writer)).toEqual({ day: body.timestamp.slice(0, 10), entries: 1 });
});

test('a replica whose clock is behind counts for the day that another one has begun', async () => {
  const writer = await newWriter();
  await countFor(writer, '9999-12-31', QUOTA - 1);
  expect((await writer.log()).status).toBe(201);
  expect(await writer.log(1)).toMatchObject({ status: 402, body: EXCEEDED });
  expect(await counted(writer)).toEqual({ day: '9999-12-31', entries: QUOTA });
});

test('a head that an older release wrote counts from now on', async () => {
  const writer = await newWriter();
  await writer.log();
  await database.sql`
    update audit_heads set day = null, entries_of_day = 0 where developer_id = ${writer.party.developerId}`;
  const { body } = await writer.log();
  expect(body.prevHash).toMatch(/^[0-9a-f]{64}$/);
  expect(await counted(writer)).toEqual({ day: body.timestamp.slice(0, 10), entries: 1 });
});

test('what is refused for another reason counts nothing', async () => {
  const writer = await newWriter();
  await countFor(writer, '9999-12-31', 3);
  const body = { agentId: 'ag_x', grantId: 'grnt_x', action: 'a' };
  const { status } = await services[0].request('POST', '/v1/audit/log', { key: writer.party.key, body });
  expect([status, await counted(writer)]).toEqual([400, { day: '9999-12-31', entries: 3 }]);
});
