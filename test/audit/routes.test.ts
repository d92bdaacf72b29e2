import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';

let service: TestService;
let party: Party;
let grantId: string;
beforeAll(async () => {
  // Far from UTC, which a time that names no zone is in all the same.
  service = await startService({ env: { TZ: 'Asia/Tokyo' } });
});
afterAll(() => service.stop());
beforeEach(async () => {
  party = await newParty(service);
  ({ grantId } = await party.grant());
});

const log = (fields: Record<string, unknown> = {}) =>
  service.request('POST', '/v1/audit/log', {
    key: party.key,
    body: { agentId: party.agentId, grantId, action: 'mail.sent', ...fields },
  });
const get = (path: string, key = party.key) => service.request('GET', path, { key });
const list = async (query = '') => (await get(`/v1/audit/entries?${query}`)).body;
const actions = async (query: string) =>
  (await list(query)).entries.map(({ action }: { action: string }) => action);

test('an entry with its defaults, and the same entry however it is read', async () => {
  const { status, body } = await log({ metadata: null });
  expect([status, body]).toEqual([
    201,
    {
      entryId: expect.stringMatching(/^alog_[0-9A-Z]{26}$/),
      agentId: party.agentId,
      agentDid: `did:grantex:${party.agentId}`,
      grantId,
      principalId: 'user_1',
      developerId: party.developerId,
      action: 'mail.sent',
      status: 'success',
      metadata: {},
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      prevHash: null,
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    },
  ]);
  expect((await get(`/v1/audit/${body.entryId}`)).body).toEqual(body);
  expect(await list()).toEqual({ entries: [body], total: 1, page: 1, pageSize: 20 });
});

test('what the caller says of agent, principal, status and metadata is kept as it was said', async () => {
  const fields = {
    agentDid: 'did:web:example.com',
    principalId: 'someone else',
    status: 'blocked',
    metadata: { n: 0.1, ключ: [null, true, { a: [] }], big: 123456789012345 },
  };
  const { body } = await log(fields);
  expect(body).toMatchObject(fields);
  expect((await get(`/v1/audit/${body.entryId}`)).body).toEqual(body);
  expect((await log()).body.prevHash).toBe(body.hash);
});

test('each filter alone and together; newest first', async () => {
  const agentId = await party.newAgent();
  const other = await party.grant({ agentId, principalId: 'user_2' });
  await log({ action: 'a' });
  await log({ action: 'b', agentId });
  await log({ action: 'b', grantId: other.grantId });
  await log({ action: 'c', agentId, grantId: other.grantId, principalId: 'user_3' });
  expect(await actions('')).toEqual(['c', 'b', 'b', 'a']);
  for (const [query, expected] of [
    ['action=b', ['b', 'b']],
    [`agentId=${agentId}`, ['c', 'b']],
    [`grantId=${other.grantId}`, ['c', 'b']],
    ['principalId=user_1', ['b', 'a']],
    ['principalId=user_2', ['b']],
    [`agentId=${agentId}&grantId=${grantId}`, ['b']],
    [`agentId=${agentId}&principalId=user_3&action=c`, ['c']],
    [`agentId=${agentId}&action=a`, []],
    ['grantId=x', []],
    ['agentId=%00', []],
    ['principalId=', []],
  ] as const) {
    expect(await actions(query), query).toEqual(expected);
    expect((await list(query)).total, query).toBe(expected.length);
  }
});

test('since and until include their own moment, in any zone', async () => {
  for (const action of ['1', '2', '3']) await log({ action });
  const day = (n: number) => `2026-01-0${n}T12:00:00.000Z`;
  for (const n of [1, 2, 3])
    await service.database.sql`update audit_entries set created_at = ${day(n)}
      where developer_id = ${party.developerId} and action = ${String(n)}`;
  expect(await actions(`since=${day(2)}`)).toEqual(['3', '2']);
  expect(await actions(`until=${day(2)}`)).toEqual(['2', '1']);
  expect(await actions(`since=${day(2)}&until=${day(2)}`)).toEqual(['2']);
  expect(await actions('since=2026-01-02T12:00:00.001Z')).toEqual(['3']);
  expect(await actions('since=2026-01-02T14:00:00%2B02:00&until=2026-01-03')).toEqual(['2']);
  expect(await actions('since=2026-01-02T12:00:00&until=2026-01-02T12:00')).toEqual(['2']);
  expect(await actions('since=2026-01-02 12:00:00.000&until=2026-01-02')).toEqual([]);
  expect(await actions(`since=${day(3)}&until=${day(1)}`)).toEqual([]);
  expect(await actions('since=0001-01-01&until=9999-12-31T23:59:59Z')).toEqual(['3', '2', '1']);
});

test.each([
  'since=soon',
  'since=',
  'until=2026',
  'until=2026-13-01',
  'since=1',
  'since=%2B012026-01-01T00:00:00Z',
  'since=0000-12-31',
  'since=0001-01-01T00:00:00%2B14:00',
  'until=9999-12-31T23:59:59-14:00',
  'since=2026-02-30',
  'until=2026-02-29',
  'since=2100-02-29',
  'until=2026-04-31T12:00:00Z',
  'since=2026-06-31T12:00:00.000%2B02:00',
  'until=2026-02-29 12:00',
  'since=2026-00-10',
  'until=2026-01-00',
  'since=2026-01-32T00:00:00Z',
  'page=0',
  'page=1.5',
  'pageSize=-1',
])('400 for ?%s', async (query) => {
  const { status, body } = await get(`/v1/audit/entries?${query}`);
  expect([status, body.code]).toEqual([400, 'BAD_REQUEST']);
});

test.each([
  '2024-02-29',
  '2000-02-29T23:59:59Z',
  '2026-02-28',
  '2024-02-29T23:30:00-05:00',
  '2024-03-01T00:30:00%2B05:00',
  '2026-12-31 23:59',
  '0004-02-29',
])('the day of %s exists', async (time) => {
  expect((await get(`/v1/audit/entries?since=${time}&until=${time}`)).status).toBe(200);
});

test('pages of 20, at most 100', async () => {
  for (let n = 0; n < 3; n++) await log({ action: `${n}` });
  expect(await list('pageSize=101')).toMatchObject({ total: 3, page: 1, pageSize: 100 });
  expect(await actions('pageSize=2&page=2')).toEqual(['0']);
  expect(await list('pageSize=2&page=3')).toEqual({ entries: [], total: 3, page: 3, pageSize: 2 });
});

test.each<[number, string, () => Promise<Record<string, unknown>> | Record<string, unknown>]>([
  [400, 'an unknown agent', () => ({ agentId: 'ag_x' })],
  [400, 'an unknown grant', () => ({ grantId: 'grnt_x' })],
  [400, "another developer's agent", async () => ({ agentId: (await newParty(service)).agentId })],
  [
    400,
    "another developer's grant",
    async () => ({ grantId: (await (await newParty(service)).grant()).grantId }),
  ],
  [400, 'an unknown agent with nothing but its DID', () => ({ agentId: 'ag_x', agentDid: 'did:web:x' })],
  [400, 'an unknown grant with nothing but its principal', () => ({ grantId: 'grnt_x', principalId: 'p' })],
  [400, 'no agent', () => ({ agentId: undefined })],
  [400, 'no grant', () => ({ grantId: undefined })],
  [400, 'no action', () => ({ action: undefined })],
  [400, 'an empty action', () => ({ action: '' })],
  [400, 'an action of 257 characters', () => ({ action: 'x'.repeat(257) })],
  [400, 'an unknown status', () => ({ status: 'done' })],
  [400, 'metadata that is no object', () => ({ metadata: [] })],
])('%i for %s, and nothing is appended', async (status, _what, fields) => {
  expect((await log(await fields())).status).toBe(status);
  expect((await list()).total).toBe(0);
  expect((await log()).body.prevHash).toBeNull();
});

test('404 for an entry that is unknown or malformed; no entry can be changed or removed', async () => {
  const { body } = await log();
  for (const id of ['alog_x', 'x', '%00', 'entriesx'])
    expect((await get(`/v1/audit/${id}`)).body.code).toBe('NOT_FOUND');
  for (const method of ['PUT', 'PATCH', 'DELETE', 'POST'])
    for (const path of [`/v1/audit/${body.entryId}`, '/v1/audit/entries'])
      expect([404, 405]).toContain(
        (await service.request(method, path, { key: party.key, body: { action: 'forged' } })).status,
      );
  expect((await get(`/v1/audit/${body.entryId}`)).body).toEqual(body);
});

test('the entries of a removed agent stay, and stay a chain', async () => {
  const { body } = await log();
  await service.request('DELETE', `/v1/agents/${party.agentId}`, { key: party.key });
  expect((await list()).entries).toEqual([body]);
  expect((await log()).status).toBe(400);
  const told = { agentDid: body.agentDid, principalId: body.principalId };
  expect((await log(told)).body).toMatchObject({ ...told, prevHash: body.hash });
});

test('what others own is evidence as told, when the entry says who acted and for whom; it stays in the own chain', async () => {
  const owner = await newParty(service);
  const theirs = await owner.grant();
  const told = { agentDid: 'did:web:example.com', principalId: 'someone' };
  const { status, body } = await log({ agentId: owner.agentId, grantId: theirs.grantId, ...told });
  expect([status, body]).toMatchObject([
    201,
    { ...told, agentId: owner.agentId, developerId: party.developerId },
  ]);
  expect((await list()).entries).toEqual([body]);
  expect((await get('/v1/audit/entries', owner.key)).body.total).toBe(0);
});
