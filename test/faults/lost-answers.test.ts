import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { printTable } from '../load/table.ts';
import { Cable } from '../support/cable.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty, type Party } from '../support/flow.ts';
import { type Answer, startService, type TestService, waitFor } from '../support/service.ts';

/**
 * The counters when a commit succeeds but the service does not learn it in time. These tests document the behaviour.
 * There are two gaps between counters and rows. When the answer to a statement is lost, no counter counts it. When the
 * answer comes after the end of its request, only the attempts count it, as an error.
 */
let database: TestDatabase;
let cable: Cable;
let service: TestService;
let party: Party;
beforeAll(async () => {
  database = await createTestDatabase();
  const url = new URL(database.url);
  cable = new Cable(Number(url.port));
  url.port = String(await cable.open());
  service = await startService({ database, env: { DATABASE_URL: url.href, DATABASE_POOL_MAX: '1' } });
  party = await newParty(service, 'sandbox');
});
afterAll(async () => {
  await service.stop();
  await cable.close();
  await database.drop();
});
beforeEach(async () => {
  await cable.set('cut');
  // New connections have no prepared statements, so the text of each statement is sent once more.
  await reconnected();
});

async function reconnected(): Promise<void> {
  await cable.set('through');
  const answers = async () => (await service.request('GET', '/v1/me', { key: party.key })).status === 200;
  await waitFor(async () => (await answers()) || undefined);
}

const SUCCESS = { status: 'success' };
const ERROR = { status: 'error' };
async function figures() {
  const scrape = await service.scrape();
  const counted = (name: string, labels = {}) => scrape.value(`grantex_${name}_total`, labels) ?? Number.NaN;
  const [rows] = await database.sql<{ grants: number; revoked: number }[]>`
    select count(*)::int as grants, count(*) filter (where status = 'revoked')::int as revoked from grants`;
  return {
    'grants rows': rows?.grants ?? Number.NaN,
    'grants_created consent': counted('grants_created', { origin: 'consent' }),
    'revoked rows': rows?.revoked ?? Number.NaN,
    grants_revoked: counted('grants_revoked'),
    'token_exchange success': counted('token_exchange', SUCCESS),
    'token_exchange error': counted('token_exchange', ERROR),
  };
}
type Figures = Awaited<ReturnType<typeof figures>>;

function expectChange(title: string, before: Figures, after: Figures, expected: Partial<Figures>): void {
  const changes = Object.entries(after).map(([name, value]) => [name, value - before[name as keyof Figures]]);
  const change = Object.fromEntries(changes) as Figures;
  printTable(title, [change]);
  const none = Object.fromEntries(changes.map(([name]) => [name, 0]));
  expect(change).toEqual({ ...none, ...expected });
}

const codeOf = async () => (await party.authorize()).code ?? '';
const exchange = (code: string): Promise<Answer> =>
  service.request('POST', '/v1/token', { key: party.key, body: { code, agentId: party.agentId } });
const stored = (more: number) =>
  waitFor(async () => {
    const [row] = await database.sql`select count(*)::int as grants from grants`;
    return row?.['grants'] >= more || undefined;
  });

test('an exchange was committed and its answer lost for ever: the row is there, no counter knows it', async () => {
  const code = await codeOf();
  // From now on the statement is prepared on the connection, so one message is enough to run it.
  expect((await exchange('unknown')).status).toBe(400);
  const before = await figures();
  await cable.set('mute');
  const answer = exchange(code);
  await stored(before['grants rows'] + 1);
  await cable.set('cut');
  const { status, body } = await answer;
  expect([status, body.code]).toEqual([500, 'INTERNAL_ERROR']);
  await reconnected();
  expectChange('an exchange whose answer was lost', before, await figures(), {
    'grants rows': 1,
    'token_exchange error': 1,
  });
  // The caller sends its code again and is refused. The service revokes the unused grant and counts that.
  expect((await exchange(code)).status).toBe(400);
  expectChange('the same code once more', before, await figures(), {
    'grants rows': 1,
    'revoked rows': 1,
    grants_revoked: 1,
    'token_exchange error': 2,
  });
});

test('a revocation was committed and its answer lost for ever: the row is revoked, no counter knows it', async () => {
  const { grantId } = await party.grant();
  await cable.set('cut');
  await reconnected();
  const before = await figures();
  cable.muteAfter('commit');
  const revoke = () => service.request('DELETE', `/v1/grants/${grantId}`, { key: party.key });
  const answer = revoke();
  await waitFor(async () => {
    const [row] = await database.sql`select status from grants where id = ${grantId}`;
    return row?.['status'] === 'revoked' || undefined;
  });
  await cable.set('cut');
  expect((await answer).status).toBe(500);
  await reconnected();
  expectChange('a revocation whose answer was lost', before, await figures(), { 'revoked rows': 1 });
  expect((await revoke()).status).toBe(404);
});

test('an answer that comes too late for the caller is not lost: the grant is counted, the attempt is an error', async () => {
  const code = await codeOf();
  const before = await figures();
  // The statement runs and waits until neither its answer nor the request to cancel can get through.
  const held = Promise.withResolvers<void>();
  const locked = Promise.withResolvers<void>();
  const holding = database.sql.begin(async (tx) => {
    await tx`select from authorization_requests for update`;
    locked.resolve();
    await held.promise;
  });
  await locked.promise;
  const answer = exchange(code);
  await waitFor(async () => {
    const [row] = await database.sql`select count(*)::int as n from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`;
    return row?.['n'] === 1 || undefined;
  });
  await cable.set('hanging');
  held.resolve();
  await holding;
  await stored(before['grants rows'] + 1);
  const { status, body } = await answer;
  expect([status, body.code]).toEqual([500, 'INTERNAL_ERROR']);
  await cable.set('through');
  await waitFor(async () => {
    const { 'grants_created consent': created } = await figures();
    return created > before['grants_created consent'] || undefined;
  });
  expectChange('an exchange whose answer came too late', before, await figures(), {
    'grants rows': 1,
    'grants_created consent': 1,
    'token_exchange error': 1,
  });
});
