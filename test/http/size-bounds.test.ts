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

const send = (method: string, path: string, body?: unknown) =>
  service.request(method, path, { key: party.key, body });

/** Scopes of so many UTF-8 bytes together; of far fewer characters, because bytes are what the bound is about. */
const scopesOf = (bytes: number) => [
  ...Array.from({ length: 32 }, () => 'é'.repeat(125)),
  's'.repeat(bytes - 32 * 250),
];
/** Metadata whose JSON has so many bytes. */
const metadataOf = (bytes: number) => ({ text: 'x'.repeat(bytes - '{"text":""}'.length) });

const textArray = (texts: readonly string[]) => `{${texts.join(',')}}`;

const TOO_MANY = 'must have at most 8192 bytes (UTF-8) together';
const withScopes = (bytes: number) => ({ scopes: scopesOf(bytes) });
const policy = { name: 'Rule', effect: 'allow', principalId: 'nobody' };

test.each<[string, () => Promise<[string, string, Record<string, unknown>]>, number]>([
  ['a new agent', async () => ['POST', '/v1/agents', { name: 'Agent' }], 201],
  ['a changed agent', async () => ['PATCH', `/v1/agents/${await party.newAgent()}`, {}], 200],
  ['an agent changed by POST', async () => ['POST', `/v1/agents/${await party.newAgent()}`, {}], 200],
  [
    'an authorization request',
    async () => ['POST', '/v1/authorize', { agentId: party.agentId, principalId: 'user_1' }],
    201,
  ],
  [
    'a delegation',
    async () => [
      'POST',
      '/v1/grants/delegate',
      { parentGrantToken: (await party.grant(withScopes(8192))).grantToken, subAgentId: party.agentId },
    ],
    201,
  ],
  ['a new policy', async () => ['POST', '/v1/policies', policy], 201],
  [
    'a changed policy',
    async () => ['PATCH', `/v1/policies/${(await send('POST', '/v1/policies', policy)).body.id}`, {}],
    200,
  ],
])('the scopes of %s have at most 8 KiB together', async (_what, request, status) => {
  const [method, path, body] = await request();
  const most = await send(method, path, { ...body, ...withScopes(8192) });
  expect(most.status).toBe(status);
  const over = await send(method, path, { ...body, ...withScopes(8193) });
  expect([over.status, over.body.code, over.body.message]).toEqual([
    400,
    'BAD_REQUEST',
    `scopes ${TOO_MANY}`,
  ]);
});

test('the metadata of an audit entry has at most 16 KiB of JSON; white space does not count', async () => {
  const { grantId } = await party.grant();
  const entry = { agentId: party.agentId, grantId, action: 'mail.sent' };
  const total = async () => (await send('GET', '/v1/audit/entries?pageSize=1')).body.total;
  const spaced = JSON.stringify({ ...entry, metadata: metadataOf(16_384) }, null, 9);
  expect((await send('POST', '/v1/audit/log', spaced)).body.metadata).toEqual(metadataOf(16_384));
  const before = await total();
  const over = await send('POST', '/v1/audit/log', { ...entry, metadata: metadataOf(16_385) });
  expect([over.status, over.body.message]).toEqual([400, 'metadata must have at most 16384 bytes as JSON']);
  expect(await total()).toBe(before);
});

test('what was stored before there were bounds can still be read, used and changed', async () => {
  const { sql } = service.database;
  const agentId = await party.newAgent();
  const large = Array.from({ length: 100 }, (_, n) => `${n}`.padEnd(200, 's'));
  await sql`update agents set scopes = ${textArray(large)}::text[] where id = ${agentId}`;
  const shown = await send('GET', `/v1/agents/${agentId}`);
  expect([shown.status, shown.body.scopes]).toEqual([200, large]);
  const renamed = await send('PATCH', `/v1/agents/${agentId}`, { name: 'Renamed' });
  expect([renamed.status, renamed.body.scopes]).toEqual([200, large]);

  const { grantId, refreshToken } = await party.grant({ agentId, scopes: large.slice(0, 1) });
  await sql`update grants set scopes = ${textArray(large)}::text[] where id = ${grantId}`;
  const refreshed = await send('POST', '/v1/token/refresh', { refreshToken, agentId });
  expect([refreshed.status, refreshed.body.scopes]).toEqual([201, large]);
  expect(await party.verify(refreshed.body.grantToken)).toBe(true);

  const entry = { agentId, grantId, action: 'mail.sent' };
  const { entryId } = (await send('POST', '/v1/audit/log', entry)).body;
  await sql`update audit_entries set metadata = ${sql.json(metadataOf(40_000))} where id = ${entryId}`;
  expect((await send('GET', `/v1/audit/${entryId}`)).body.metadata).toEqual(metadataOf(40_000));
});

test('the document says the bounds', async () => {
  const { paths } = (await send('GET', '/openapi.json')).body;
  const member = (path: string, method: string, name: string) => {
    const { schema } = paths[path][method].requestBody.content['application/json'];
    const found = schema.properties[name];
    return found.anyOf?.[0] ?? found;
  };
  const BOUND = 'At most 100 scopes of 256 characters, and 8192 bytes (UTF-8) together';
  for (const [path, method] of [
    ['/v1/agents', 'post'],
    ['/v1/agents/{id}', 'patch'],
    ['/v1/agents/{id}', 'post'],
    ['/v1/authorize', 'post'],
    ['/v1/grants/delegate', 'post'],
    ['/v1/policies', 'post'],
    ['/v1/policies/{id}', 'patch'],
  ] as const)
    expect(member(path, method, 'scopes')).toMatchObject({
      description: BOUND,
      maxItems: 100,
      'x-max-total-bytes': 8192,
    });
  expect(member('/v1/audit/log', 'post', 'metadata')).toMatchObject({
    description: 'At most 16384 bytes as JSON without white space',
    'x-max-json-bytes': 16_384,
  });
});
