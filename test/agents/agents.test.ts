import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService, untilAvailable } from '../support/service.ts';

let service: TestService;
let party: Party;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());
beforeEach(async () => {
  party = await newParty(service);
});

const call = (method: string, id = '', body?: unknown, key = party.key) =>
  service.request(method, `/v1/agents${id && `/${id}`}`, { key, body });
const create = (fields: Record<string, unknown>) => call('POST', '', { name: 'Agent', ...fields });
const row = async (id: string) => {
  const [found] = await service.database
    .sql`select name, description, scopes, status from agents where id = ${id}`;
  return found;
};
/** 256 characters, the most that a scope may have; `n` keeps them apart. */
const longScope = (n: number) => `${n}`.padEnd(256, 's');
/** A hundred scopes that have this many bytes together. */
const scopesOfBytes = (bytes: number) =>
  Array.from({ length: 100 }, (_, n) => `${n}`.padEnd(n === 0 ? bytes - 99 * 82 : 82, 's'));

test('201: exactly the agent, and the same from every route that shows it', async () => {
  const { status, body } = await create({
    name: 'Planner',
    description: 'Plans.',
    scopes: ['b', 'a:read', 'b'],
  });
  expect([status, body]).toEqual([
    201,
    {
      agentId: expect.stringMatching(/^ag_[0-9A-HJKMNP-TV-Z]{26}$/),
      id: body.agentId,
      did: `did:grantex:${body.agentId}`,
      developerId: party.developerId,
      name: 'Planner',
      description: 'Plans.',
      scopes: ['b', 'a:read', 'b'],
      status: 'active',
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      updatedAt: body.createdAt,
    },
  ]);
  const shown = await call('GET', body.agentId);
  expect([shown.status, shown.body]).toEqual([200, body]);
  expect((await call('GET')).body.agents[0]).toEqual(body);
});

test.each([
  ['a name alone', {}],
  ['nulls', { scopes: null, description: null }],
  ['empty members', { scopes: [], description: '' }],
])('201 with %s: no description and no scopes, and never null', async (_what, fields) => {
  const { status, body } = await create(fields);
  expect([status, body.description, body.scopes]).toEqual([201, '', []]);
});

test('the list is this developer’s agents, newest first', async () => {
  const ids = [party.agentId];
  for (const name of ['Second', 'Third', 'Fourth']) ids.unshift(await party.newAgent({ name }));
  await call('PATCH', ids[3], { name: 'First, renamed last' });
  const { status, body } = await call('GET');
  expect([status, Object.keys(body), body.agents.map(({ id }: { id: string }) => id)]).toEqual([
    200,
    ['agents', 'total', 'page', 'pageSize'],
    ids,
  ]);
  const { apiKey } = await service.signup();
  expect((await call('GET', '', undefined, apiKey)).body).toEqual({
    agents: [],
    total: 0,
    page: 1,
    pageSize: 100,
  });
});

test.each([
  ['name', { name: 'Renamed' }],
  ['description', { description: 'New words' }],
  ['description, emptied', { description: '' }],
  ['scopes', { scopes: ['z', 'y'] }],
  ['scopes, emptied', { scopes: [] }],
  ['status', { status: 'suspended' }],
  ['all at once', { name: 'N', description: 'D', scopes: ['s'], status: 'suspended' }],
])(
  'PATCH and POST change %s and nothing else, and answer 200 with the whole agent',
  async (_what, change) => {
    for (const method of ['PATCH', 'POST']) {
      const { body: before } = await create({ description: 'Words', scopes: ['a'] });
      const { status, body } = await call(method, before.id, change);
      expect([status, body]).toEqual([200, { ...before, ...change, updatedAt: expect.any(String) }]);
      expect(Date.parse(body.updatedAt)).toBeGreaterThanOrEqual(Date.parse(before.updatedAt));
      expect((await call('GET', before.id)).body).toEqual(body);
    }
  },
);

test('scopes: null and description: null empty them', async () => {
  const { body } = await create({ description: 'Words', scopes: ['a'] });
  for (const [change, expected] of [
    [{ scopes: null }, { scopes: [], description: 'Words' }],
    [{ description: null }, { scopes: [], description: '' }],
  ])
    expect(await call('PATCH', body.id, change)).toMatchObject({ status: 200, body: expected });
});

test.each<[string, unknown]>([
  ['no body', undefined],
  ['nothing', {}],
  ['unknown members only', { purpose: 'x', id: 'ag_other', developerId: 'dev_other' }],
  ['a name that is null', { name: null }],
  ['an empty name', { name: '' }],
  ['a name of 201 characters', { name: 'x'.repeat(201) }],
  ['a description of 2001 characters', { description: 'x'.repeat(2001) }],
  ['a description that is a number', { description: 7 }],
  ['scopes that are text', { scopes: 'a' }],
  ['a scope that is null', { scopes: [null] }],
  ['an empty scope', { scopes: [''] }],
  ['101 scopes', { scopes: Array(101).fill('s') }],
  ['a scope of 257 characters', { scopes: [`${longScope(0)}s`] }],
  ['scopes of more than 8 KiB together', { scopes: scopesOfBytes(8193) }],
  ['an unknown status', { status: 'revoked' }],
  ['a status that is null', { status: null }],
  ['one wrong member beside a right one', { name: 'Right', status: 'wrong' }],
])('400 on change for %s, and nothing is changed', async (_what, change) => {
  const before = await row(party.agentId);
  for (const method of ['PATCH', 'POST']) {
    const { status, body } = await call(method, party.agentId, change);
    expect([status, body.code]).toEqual([400, 'BAD_REQUEST']);
  }
  expect(await row(party.agentId)).toEqual(before);
});

test('8 KiB of scopes are taken and given back; other lengths are of characters, not bytes', async () => {
  const scopes = scopesOfBytes(8192);
  const { status, body } = await create({ scopes });
  expect([status, body.scopes]).toEqual([201, scopes]);
  const odd = {
    name: '😀'.repeat(200),
    description: 'é'.repeat(2000),
    scopes: ['😀'.repeat(256), 'a b', '"{},\\'],
  };
  expect(await call('PATCH', body.id, odd)).toMatchObject({ status: 200, body: odd });
});

test('changes of one agent at the same moment do not undo each other', async () => {
  const { agentId } = party;
  const answers = await Promise.all([
    call('PATCH', agentId, { name: 'Both' }),
    call('PATCH', agentId, { scopes: ['both'] }),
    call('POST', agentId, { description: 'Both' }),
  ]);
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(await row(agentId)).toEqual({
    name: 'Both',
    description: 'Both',
    scopes: ['both'],
    status: 'active',
  });
});

test('a suspended agent gets no request, code or token, and its tokens are invalid until it is active again', async () => {
  const { agentId, key } = party;
  const { grantToken } = await party.grant();
  const code = await party.consent();
  const authorize = () =>
    service.request('POST', '/v1/authorize', {
      key,
      body: { agentId, principalId: 'user_1', scopes: ['a'] },
    });
  const exchange = () => service.request('POST', '/v1/token', { key, body: { code, agentId } });

  expect((await call('PATCH', agentId, { status: 'suspended' })).body.status).toBe('suspended');
  expect([(await authorize()).status, (await exchange()).status]).toEqual([404, 400]);
  expect(await party.verify(grantToken)).toBe(false);
  expect((await call('POST', agentId, { status: 'active' })).body.status).toBe('active');
  expect([(await authorize()).status, (await exchange()).status]).toEqual([201, 201]);
  expect(await party.verify(grantToken)).toBe(true);
});

test('another developer’s agent is an unknown one on every route, and stays as it was', async () => {
  const stranger = await newParty(service);
  const { grantToken } = await stranger.grant();
  const before = await row(party.agentId);
  const { key } = stranger;
  for (const id of [party.agentId, 'ag_unknown', 'no-shape', '%00']) {
    const named = { agentId: id, principalId: 'p', scopes: ['calendar:read'] };
    const delegation = { parentGrantToken: grantToken, subAgentId: id, scopes: ['calendar:read'] };
    const answers = [
      await call('GET', id, undefined, key),
      await call('PATCH', id, { name: 'Taken over' }, key),
      await call('POST', id, { status: 'suspended' }, key),
      await call('DELETE', id, undefined, key),
    ];
    if (id !== '%00')
      answers.push(
        await service.request('POST', '/v1/authorize', { key, body: named }),
        await service.request('POST', '/v1/grants/delegate', { key, body: delegation }),
      );
    for (const { status, body } of answers) expect([status, body.code]).toEqual([404, 'NOT_FOUND']);
  }
  expect(await row(party.agentId)).toEqual(before);
  const listed = (await call('GET', '', undefined, key)).body.agents;
  expect(listed.map(({ id }: { id: string }) => id)).toEqual([stranger.agentId]);
});

test('a list has pages, newest first, of 100 unless asked otherwise', async () => {
  const made: string[] = [party.agentId];
  for (let n = 0; n < 4; n++) made.unshift((await create({ name: `Agent ${n}` })).body.agentId);
  const page = async (query: string) =>
    (await service.request('GET', `/v1/agents${query}`, { key: party.key })).body as {
      agents: { id: string }[];
    };
  const idsOf = ({ agents }: { agents: { id: string }[] }) => agents.map(({ id }) => id);
  const all = await page('');
  expect({ ...all, agents: idsOf(all) }).toEqual({ agents: made, total: 5, page: 1, pageSize: 100 });
  const second = await page('?page=2&pageSize=2');
  expect({ ...second, agents: idsOf(second) }).toEqual({
    agents: made.slice(2, 4),
    total: 5,
    page: 2,
    pageSize: 2,
  });
  expect(await page('?page=4&pageSize=2')).toEqual({ agents: [], total: 5, page: 4, pageSize: 2 });
});

test('an agent may be registered as suspended', async () => {
  const { status, body } = await create({ status: 'suspended' });
  expect([status, body.status]).toEqual([201, 'suspended']);
  expect((await create({ status: 'gone' })).status).toBe(400);
});

test('a developer has at most MAX_AGENTS agents, however many requests come at once', async () => {
  const small = await startService({ env: { MAX_AGENTS: '3' } });
  try {
    const { key } = await newParty(small);
    const register = () =>
      untilAvailable(() => small.request('POST', '/v1/agents', { key, body: { name: 'Agent' } }));
    const answers = await Promise.all(Array.from({ length: 12 }, register));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, ...Array(10).fill(402)]);
    const { body } = await register();
    expect(body).toMatchObject({ code: 'PLAN_LIMIT_EXCEEDED', message: 'A developer has at most 3 agents' });
    const { agents } = (await small.request('GET', '/v1/agents', { key })).body as {
      agents: { id: string }[];
    };
    expect(agents).toHaveLength(3);
    expect((await small.request('DELETE', `/v1/agents/${agents[0]?.id}`, { key })).status).toBe(204);
    expect((await register()).status).toBe(201);
  } finally {
    await small.stop();
  }
});

test('401 without a key on every route', async () => {
  const routes = [
    ['GET', '/v1/agents'],
    ['POST', '/v1/agents'],
    ...['GET', 'PATCH', 'POST', 'DELETE'].map((method) => [method, `/v1/agents/${party.agentId}`]),
  ] as [string, string][];
  for (const [method, path] of routes) expect((await service.request(method, path)).status).toBe(401);
});
