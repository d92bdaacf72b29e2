import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';

let service: TestService;
let party: Party;
beforeAll(async () => {
  service = await startService();
  party = await newParty(service);
});
afterAll(() => service.stop());

const call = (method: string, path: string, body?: unknown, key = party.key) =>
  service.request(method, `/v1/policies${path}`, { key, body });
const create = async (fields: Record<string, unknown> = {}, key = party.key) => {
  const { status, body } = await call('POST', '', { name: 'Rule', effect: 'deny', ...fields }, key);
  expect([status, body]).toEqual([201, expect.anything()]);
  return body;
};
const ID = /^pol_[0-9A-HJKMNP-TV-Z]{26}$/;

test('201 with the least: priority 0, and null for every condition', async () => {
  const { status, body } = await call('POST', '', { name: 'Everything', effect: 'allow' });
  expect([status, body]).toEqual([
    201,
    {
      id: expect.stringMatching(ID),
      name: 'Everything',
      effect: 'allow',
      priority: 0,
      agentId: null,
      principalId: null,
      scopes: null,
      timeOfDayStart: null,
      timeOfDayEnd: null,
      createdAt: expect.stringMatching(/Z$/),
      updatedAt: body.createdAt,
    },
  ]);
});

test('201 with every field, and GET gives back the same', async () => {
  const fields = {
    name: 'No payments at night',
    effect: 'deny',
    priority: -7,
    agentId: party.agentId,
    principalId: 'user_1',
    scopes: ['payments:initiate', 'read'],
    timeOfDayStart: '22:00',
    timeOfDayEnd: '06:30',
  };
  const policy = await create({ ...fields, description: 'unknown members are ignored' });
  expect(policy).toEqual({
    ...fields,
    id: expect.stringMatching(ID),
    createdAt: expect.any(String),
    updatedAt: policy.createdAt,
  });
  const found = await call('GET', `/${policy.id}`);
  expect([found.status, found.body]).toEqual([200, policy]);
});

test('null counts as absent on POST; an empty list of scopes is not null', async () => {
  const conditions = { agentId: null, principalId: null, timeOfDayStart: null, timeOfDayEnd: null };
  expect(await create({ ...conditions, scopes: null })).toMatchObject({ ...conditions, scopes: null });
  expect(await create({ scopes: [] })).toMatchObject({ scopes: [] });
});

test('the list is ordered by priority, the greatest first, then by age, the oldest first', async () => {
  const owner = await newParty(service);
  const ids: string[] = [];
  for (const priority of [0, 5, undefined, -1, 5])
    ids.push((await create({ name: `p${priority}`, priority }, owner.key)).id);
  const { status, body } = await call('GET', '', undefined, owner.key);
  expect([status, body.total]).toEqual([200, 5]);
  expect(body.policies.map(({ id }: { id: string }) => id)).toEqual([1, 4, 0, 2, 3].map((at) => ids[at]));
  const none = await newParty(service);
  expect((await call('GET', '', undefined, none.key)).body).toEqual({ policies: [], total: 0 });
});

test('PATCH changes what is given, null clears a condition, the rest stays', async () => {
  const policy = await create({
    priority: 3,
    agentId: party.agentId,
    principalId: 'user_1',
    scopes: ['a'],
    timeOfDayStart: '09:00',
    timeOfDayEnd: '17:00',
  });
  const patch = async (body: Record<string, unknown>) => {
    const answer = await call('PATCH', `/${policy.id}`, body);
    expect(answer.status).toBe(200);
    return answer.body;
  };
  const renamed = await patch({ name: 'New', effect: 'allow' });
  expect(renamed).toEqual({ ...policy, name: 'New', effect: 'allow', updatedAt: expect.any(String) });
  expect(Date.parse(renamed.updatedAt)).toBeGreaterThanOrEqual(Date.parse(policy.createdAt));
  const cleared = await patch({ agentId: null, scopes: null, timeOfDayEnd: null });
  expect(cleared).toMatchObject({
    name: 'New',
    priority: 3,
    agentId: null,
    principalId: 'user_1',
    scopes: null,
    timeOfDayStart: '09:00',
    timeOfDayEnd: null,
  });
  const again = await patch({ principalId: null, timeOfDayStart: null, priority: 0, scopes: [] });
  expect(again).toMatchObject({ principalId: null, timeOfDayStart: null, priority: 0, scopes: [] });
  expect(await patch({})).toEqual({ ...again, updatedAt: expect.any(String) });
  expect((await call('GET', `/${policy.id}`)).body).toMatchObject({ name: 'New', agentId: null, scopes: [] });
});

test('DELETE: 204 once, then 404 on every route', async () => {
  const { id } = await create();
  expect((await call('DELETE', `/${id}`)).status).toBe(204);
  for (const [method, body] of [['GET'], ['PATCH', { name: 'x' }], ['DELETE']] as const) {
    const answer = await call(method, `/${id}`, body);
    expect([answer.status, answer.body.code]).toEqual([404, 'NOT_FOUND']);
  }
});

test('404 for an unknown or malformed id, and for an agent that is unknown or removed', async () => {
  for (const id of ['pol_unknown', 'no-shape', 'a%00b'])
    expect((await call('GET', `/${id}`)).status).toBe(404);
  const removed = await party.newAgent();
  await service.request('DELETE', `/v1/agents/${removed}`, { key: party.key });
  const { id } = await create();
  for (const agentId of ['ag_unknown', removed]) {
    const body = { name: 'x', effect: 'deny', agentId };
    expect((await call('POST', '', body)).body.code).toBe('NOT_FOUND');
    expect((await call('PATCH', `/${id}`, { agentId })).body.code).toBe('NOT_FOUND');
  }
});

test("404 for another developer's agent, on POST and PATCH, and nothing changes", async () => {
  const { agentId } = await newParty(service);
  const fields = { name: 'Rule', effect: 'deny', agentId };
  const before = (await call('GET', '')).body;
  expect((await call('POST', '', fields)).status).toBe(404);
  const { id } = await create();
  expect((await call('PATCH', `/${id}`, { agentId })).status).toBe(404);
  expect((await call('GET', `/${id}`)).body.agentId).toBe(null);
  expect((await call('DELETE', `/${id}`)).status).toBe(204);
  expect((await call('GET', '')).body).toEqual(before);
});

test('a policy about an agent goes with it, the others stay', async () => {
  const agentId = await party.newAgent();
  const about = await create({ agentId });
  const general = await create();
  expect((await service.request('DELETE', `/v1/agents/${agentId}`, { key: party.key })).status).toBe(204);
  expect((await call('GET', `/${about.id}`)).status).toBe(404);
  expect((await call('GET', `/${general.id}`)).status).toBe(200);
});

const BAD: [string, Record<string, unknown>][] = [
  ['an empty name', { name: '' }],
  ['name null', { name: null }],
  ['a name of 201 characters', { name: 'n'.repeat(201) }],
  ['an effect that is neither', { effect: 'maybe' }],
  ['effect null', { effect: null }],
  ['a priority that is text', { priority: '1' }],
  ['a priority with a fraction', { priority: 1.5 }],
  ['a priority beyond 32 bits', { priority: 2_147_483_648 }],
  ['an agent that is a number', { agentId: 1 }],
  ['an empty principal', { principalId: '' }],
  ['a principal of 513 characters', { principalId: 'p'.repeat(513) }],
  ['scopes that are text', { scopes: 'a' }],
  ['an empty scope', { scopes: [''] }],
  ['101 scopes', { scopes: Array.from({ length: 101 }, (_, n) => `s${n}`) }],
  ...['24:00', '9:00', '09:60', '09:00:00', '0900', '', ' 09:00', '09:00Z', 900].flatMap(
    (time): [string, Record<string, unknown>][] => [
      [`start ${JSON.stringify(time)}`, { timeOfDayStart: time }],
      [`end ${JSON.stringify(time)}`, { timeOfDayEnd: time }],
    ],
  ),
];

test.each(BAD)('400 on POST and PATCH: %s', async (_case, fields) => {
  const { id } = await create();
  for (const [method, path, body] of [
    ['POST', '', { name: 'x', effect: 'deny', ...fields }],
    ['PATCH', `/${id}`, fields],
  ] as const) {
    const answer = await call(method, path, body);
    expect([method, answer.status, answer.body.code]).toEqual([method, 400, 'BAD_REQUEST']);
  }
});

test('400 without name or effect; 401 without a key, on every route', async () => {
  expect((await call('POST', '', { effect: 'deny' })).status).toBe(400);
  expect((await call('POST', '', { name: 'x' })).status).toBe(400);
  for (const [method, path] of [
    ['POST', ''],
    ['GET', ''],
    ['GET', '/pol_x'],
    ['PATCH', '/pol_x'],
    ['DELETE', '/pol_x'],
  ] as const)
    expect((await service.request(method, `/v1/policies${path}`, {})).status).toBe(401);
});

test('five hundred and no more; whoever removes one may add another', async () => {
  const { key, developerId } = await newParty(service);
  await service.database
    .sql`insert into policies (id, developer_id, name, effect, priority, created_at, updated_at)
    select 'pol_many_' || n, ${developerId}, 'P', 'allow', 0, now(), now() from generate_series(1, 499) n`;
  const add = async () =>
    (await service.request('POST', '/v1/policies', { key, body: { name: 'P', effect: 'allow' } })).status;
  expect([await add(), await add()]).toEqual([201, 400]);
  await service.request('DELETE', '/v1/policies/pol_many_1', { key });
  expect([await add(), await add()]).toEqual([201, 400]);
});
