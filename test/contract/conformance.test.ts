import { Ajv2020 } from 'ajv/dist/2020.js';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty } from '../support/flow.ts';
import { type Answer, startService, type TestService } from '../support/service.ts';
import { ApiDocument, type Operation } from './document.ts';
import { outgoing } from './mutate.ts';
import { createSender, type Sender } from './send.ts';
import { createWorld, sampleFor, type World } from './world.ts';

/** The service, with every answer compared with the document. */
let service: TestService;
let document: ApiDocument;
let sender: Sender;
let world: World;
/** `METHOD template status`. */
const seen = new Set<string>();
const faults: string[] = [];

function note(operation: Operation, answer: Answer): Answer {
  seen.add(`${operation.name} ${answer.status}`);
  const of = document.faults(operation, answer);
  faults.push(...of.map((fault) => `${operation.name} ${answer.status}: ${fault}`));
  return answer;
}

function watched(real: TestService): TestService {
  const request: TestService['request'] = async (method, path, options) => {
    const answer = await real.request(method, path, options);
    const operation = document.find(method, path);
    return operation ? note(operation, answer) : answer;
  };
  const signup: TestService['signup'] = async ({ name = 'Acme', ...rest } = {}) =>
    (await request('POST', '/v1/signup', { body: { name, ...rest } })).body;
  return { ...real, request, signup };
}

/** What members called `schema` have, wherever they are. */
const schemasIn = (value: unknown): object[] =>
  typeof value !== 'object' || value === null
    ? []
    : Object.entries(value).flatMap(([name, member]) =>
        name === 'schema' && typeof member === 'object' ? [member] : schemasIn(member),
      );

const MAX_AGENTS = 30;
const MAX_AUDIT_ENTRIES_PER_DAY = 30;

beforeAll(async () => {
  const real = await startService({
    env: {
      MAX_AGENTS: String(MAX_AGENTS),
      MAX_AUDIT_ENTRIES_PER_DAY: String(MAX_AUDIT_ENTRIES_PER_DAY),
    },
  });
  document = new ApiDocument((await real.request('GET', '/openapi.json')).body);
  service = watched(real);
  sender = createSender(real.url, 2);
  world = await createWorld(service);
});
afterAll(async () => {
  sender?.close();
  await service?.stop();
});

const send = async (operation: Operation, edits: Parameters<typeof outgoing>[2] = []) =>
  note(operation, await sender.send(outgoing(operation, await sampleFor(world, operation), edits)));

test('every schema of the document is one of JSON Schema 2020-12', async () => {
  const ajv = new Ajv2020({ strict: false, logger: false });
  const { body } = await service.request('GET', '/openapi.json');
  const schemas = schemasIn(body);
  expect(schemas.length).toBeGreaterThan(200);
  expect(schemas.filter((schema) => !ajv.validateSchema(schema))).toEqual([]);
  expect(ajv.validateSchema({ type: 'objekt' })).toBe(false);
});

test('an answer that differs from the document is noticed', async () => {
  const operation = document.find('GET', `/v1/agents/${world.party.agentId}`);
  if (!operation) throw new Error('the operation is not documented');
  const good = await sender.send(outgoing(operation, await sampleFor(world, operation)));
  const bad = await sender.send(outgoing(operation, { key: world.party.key, id: 'unknown' }));
  const without = (name: string) => {
    const headers = new Headers(good.headers);
    headers.delete(name);
    return headers;
  };
  const differences: readonly (readonly [Answer, string])[] = [
    [{ ...good, status: 202 }, '202 is not documented'],
    [{ ...good, headers: without('x-request-id') }, 'header x-request-id is missing'],
    [{ ...good, headers: without('content-type') }, 'content type undefined'],
    [{ ...good, body: { ...good.body, extra: 1 } }, 'it must NOT have unevaluated properties'],
    [{ ...good, body: { ...good.body, scopes: null } }, '/scopes must be array'],
    [{ ...good, body: { ...good.body, createdAt: 'today' } }, '/createdAt must match format "date-time"'],
    [{ ...bad, body: { ...bad.body, code: 'CONFLICT' } }, '/code must be equal to one of the allowed values'],
    [{ ...bad, body: { ...bad.body, stack: 'x' } }, 'the envelope has code,message,requestId,stack'],
    [{ ...bad, body: { ...bad.body, requestId: 'x' } }, 'requestId is not x-request-id'],
  ];
  expect([document.faults(operation, good), document.faults(operation, bad)]).toEqual([[], []]);
  for (const [answer, fault] of differences) expect(document.faults(operation, answer)).toContain(fault);
});

test('the ordinary flow: every answer is as documented', async () => {
  const { apiKey } = await service.signup({ email: 'a@example.com', mode: 'live' });
  expect((await service.request('GET', '/v1/me', { key: apiKey })).body.email).toBe('a@example.com');
  const rotated = await service.request('POST', '/v1/keys/rotate', { key: apiKey });
  expect((await service.request('GET', '/v1/me', { key: rotated.body.apiKey })).status).toBe(200);

  const key = rotated.body.apiKey;
  const { id } = (await service.request('POST', '/v1/keys', { key, body: { name: 'CI', expiresIn: '1h' } }))
    .body;
  expect((await service.request('GET', '/v1/keys', { key })).body.total).toBe(2);
  expect((await service.request('DELETE', `/v1/keys/${id}`, { key })).status).toBe(204);

  const live = await newParty(service, 'live');
  const call = (method: string, path: string, body?: unknown) =>
    service.request(method, path, { key: live.key, body });
  const asked = await live.authorize({ redirectUri: 'https://app.example.com/', state: 's' });
  expect((await call('GET', `/v1/consent/${asked.authRequestId}`)).body.scopeDescriptions).toHaveLength(1);
  expect((await call('GET', `/consent?req=${asked.authRequestId}`)).status).toBe(200);
  expect((await call('POST', `/v1/consent/${asked.authRequestId}/deny`)).status).toBe(200);

  const first = await live.grant();
  const subAgentId = await live.newAgent({ scopes: ['calendar:read'] });
  const child = await live.delegate(first.grantToken, { subAgentId });
  const refresh = { refreshToken: first.refreshToken, agentId: live.agentId };
  const second = (await call('POST', '/v1/token/refresh', refresh)).body;
  const counted = await call('POST', '/v1/grants/revoke', { agentId: live.agentId, dryRun: true });
  expect([counted.status, counted.body]).toEqual([200, { revoked: 2, dryRun: true }]);
  const entry = { agentId: subAgentId, grantId: child.grantId, action: 'a', metadata: { b: [1, null] } };
  for (let n = 0; n < 2; n++) expect((await call('POST', '/v1/audit/log', entry)).status).toBe(201);
  const { entries } = (await call('GET', '/v1/audit/entries?pageSize=100')).body;
  expect((await call('GET', `/v1/audit/${entries[0].entryId}`)).body).toEqual(entries[0]);

  expect(await live.verify(second.grantToken)).toBe(true);
  expect((await call('POST', '/v1/tokens/revoke', { jti: decodeJwt(second.grantToken).jti })).status).toBe(
    204,
  );
  expect(await live.verify(second.grantToken)).toBe(false);
  expect((await call('DELETE', `/v1/grants/${first.grantId}`)).status).toBe(204);
  const revoked = (await call('GET', `/v1/grants/${child.grantId}`)).body;
  expect(revoked).toMatchObject({ status: 'revoked', parentGrantId: first.grantId, delegationDepth: 1 });
  expect((await call('GET', '/v1/grants?status=revoked')).body.total).toBe(2);
  expect((await call('POST', '/v1/grants/verify', { token: child.grantToken })).body.reason).toBe('revoked');
  expect((await call('GET', `/v1/revocations/status?grantId=${child.grantId}`)).body.status).toBe('revoked');
  expect((await call('PATCH', `/v1/agents/${subAgentId}`, { scopes: null })).body.scopes).toEqual([]);
  expect((await call('DELETE', `/v1/agents/${subAgentId}`)).status).toBe(204);
  expect((await call('GET', '/v1/agents')).body.agents).toHaveLength(1);

  // What the flow has no step for is asked for with its sample.
  for (const operation of document.operations) expect((await send(operation)).status).toBeLessThan(300);
  expect(faults).toEqual([]);
  const successes = document.operations.flatMap(({ name, responses }) =>
    Object.keys(responses)
      .filter((status) => status < '300')
      .map((status) => `${name} ${status}`),
  );
  expect(successes.filter((one) => !seen.has(one))).toEqual([]);
});

/** Refusals that follow from what an operation does. */
async function refuseByMeaning(): Promise<void> {
  const { party } = world;
  const live = await newParty(service, 'live');
  const email = 'taken@example.com';
  await service.signup({ email });
  await service.signup({ email });
  const { authRequestId } = await live.authorize();
  const decided = (await party.authorize()).authRequestId;
  const ask = (method: string, path: string, body?: unknown, key = party.key) =>
    service.request(method, path, { key, body });
  await ask('POST', `/v1/consent/${decided}/deny`);
  for (const verb of ['approve', 'deny']) {
    await ask('POST', `/v1/authorize/${authRequestId}/${verb}`, undefined, live.key);
    await ask('POST', `/v1/consent/${decided}/${verb}`);
  }
  await ask('GET', `/v1/consent/${decided}`);
  for (const query of [`req=${decided}`, 'req=unknown', 'req=a&req=b']) await ask('GET', `/consent?${query}`);
  const { apiKey, developerId } = await service.signup();
  const { keys } = (await ask('GET', '/v1/keys', undefined, apiKey)).body;
  await ask('DELETE', `/v1/keys/${keys[0].id}`, undefined, apiKey);
  await service.database.sql`insert into api_keys (id, developer_id, hash, name, prefix, created_at)
    select 'key_' || n, ${developerId}, convert_to(n::text, 'UTF8'), 'many', '', now() from generate_series(1, 99) n`;
  await ask('POST', '/v1/keys', { name: 'one more' }, apiKey);
  await ask('POST', '/v1/keys/rotate', { overlapSeconds: 1 }, apiKey);
  const foreign = await live.grant();
  for (let n = 0; n < MAX_AGENTS; n++) await ask('POST', '/v1/agents', { name: 'Agent' }, live.key);
  const entry = { agentId: live.agentId, grantId: foreign.grantId, action: 'a' };
  for (let n = 0; n <= MAX_AUDIT_ENTRIES_PER_DAY; n++) await ask('POST', '/v1/audit/log', entry, live.key);
  const delegation = { subAgentId: party.agentId, scopes: ['calendar:read'] };
  await ask('POST', '/v1/grants/delegate', { ...delegation, parentGrantToken: foreign.grantToken });
  const parentGrantToken = world.pair.grantToken;
  await ask('POST', '/v1/grants/delegate', { ...delegation, parentGrantToken, subAgentId: 'ag_x' });
  await ask('POST', '/v1/authorize', { agentId: 'ag_x', principalId: 'p', scopes: ['s'] });
  await ask('POST', '/v1/tokens/revoke', { jti: 'tok_x' });
  await ask('GET', '/v1/revocations?since=9007199254740991');
  await ask('POST', '/v1/policies', { name: 'P', effect: 'deny', agentId: 'ag_x' });
  await ask('POST', '/v1/policies', { name: 'P', effect: 'deny' }, live.key);
  const denied = { agentId: live.agentId, principalId: 'p', scopes: ['s'] };
  await ask('POST', '/v1/authorize', denied, live.key);
}

test('every documented refusal is real, and as documented', async () => {
  await refuseByMeaning();
  for (const operation of document.operations) {
    const without = await send(operation, [{ in: 'header', name: 'authorization', text: 'Bearer gx_x' }]);
    expect([operation.name, without.status === 401]).toEqual([operation.name, !operation.isPublic]);
    if (operation.template.includes('{')) {
      await send(operation, [{ in: 'id', text: 'unknown' }]);
      await send(operation, [{ in: 'id', text: '%zz' }]);
    } else if (operation.method === 'GET')
      for (const name of operation.parameters.filter((one) => one.in === 'query').map((one) => one.name))
        await send(operation, [{ in: 'query', how: 'add', text: `${name}=&${name}=` }]);
    else await send(operation, [{ in: 'body', how: 'whole', text: '[]' }]);
  }
  expect(faults).toEqual([]);
  const refusals = document.operations.flatMap(({ name, responses }) =>
    Object.keys(responses)
      .filter((status) => status >= '400' && !['429', '500', '503'].includes(status))
      .map((status) => `${name} ${status}`),
  );
  expect(refusals.length).toBeGreaterThan(60);
  expect(refusals.filter((one) => !seen.has(one))).toEqual([]);
});

test('a limited operation answers 429 as documented, and the others never do', async () => {
  const names = ['api', 'authorize', 'token', 'refresh', 'verify', 'consent', 'signup'];
  const limited = await startService({
    env: { RATE_LIMIT_ENABLED: 'true', RATE_LIMITS: names.map((name) => `${name}=1/3600`).join() },
  });
  const toLimited = createSender(limited.url, 1);
  try {
    for (const operation of document.operations) {
      const request = outgoing(operation, { key: 'gx_live_nobody', id: 'unknown' });
      const answers = [await toLimited.send(request), await toLimited.send(request)];
      for (const answer of answers) note(operation, answer);
      expect([operation.name, answers[1]?.status === 429]).toEqual([
        operation.name,
        '429' in operation.responses,
      ]);
    }
  } finally {
    toLimited.close();
    await limited.stop();
  }
  expect(faults).toEqual([]);
});
