import { randomUUID } from 'node:crypto';
import { decodeJwt } from 'jose';
import { anomalyOf, newParty, type Party, type TokenPair } from '../support/flow.ts';
import type { TestService } from '../support/service.ts';
import type { Operation } from './document.ts';

/** A request that its operation accepts. */
export interface Sample {
  readonly key: string;
  readonly id?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One sandbox developer, who may do everything, with something of every kind. */
export interface World {
  readonly service: TestService;
  readonly party: Party;
  readonly pair: TokenPair;
  readonly entryId: string;
  readonly pendingId: string;
  /** Policies are made for another developer: one of them could deny everything else. */
  readonly ruled: Party;
  readonly webhookId: string;
}

/** Its name does not resolve: nothing goes anywhere. */
const WEBHOOK = { url: 'https://hooks.invalid/in', events: ['grant.created', 'token.issued'] };

export async function createWorld(service: TestService): Promise<World> {
  const party = await newParty(service, 'sandbox');
  const pair = await party.grant();
  const body = { agentId: party.agentId, grantId: pair.grantId, action: 'mail.sent', metadata: { to: 'x' } };
  const entry = await service.request('POST', '/v1/audit/log', { key: party.key, body });
  const { authRequestId } = await party.authorize();
  const ruled = await newParty(service);
  const hook = await service.request('POST', '/v1/webhooks', { key: party.key, body: WEBHOOK });
  return {
    service,
    party,
    pair,
    entryId: entry.body.entryId,
    pendingId: authRequestId,
    webhookId: hook.body.id,
    ruled,
  };
}

type Recipe = (world: World) => Promise<Omit<Sample, 'key'> & { key?: string }>;

const jtiOf = ({ grantToken }: TokenPair) => String(decodeJwt(grantToken).jti);
const pending: Recipe = async ({ party }) => ({ id: (await party.authorize()).authRequestId });
const quickGrant = async ({ party }: World) =>
  party.exchange(String((await party.authorize({ expiresIn: '2h' })).code));
const change = { name: 'Other', description: 'of some use', scopes: ['calendar:read'], status: 'active' };
const policyTerms = ({ ruled }: World) => ({
  name: 'At night',
  effect: 'deny',
  priority: 5,
  agentId: ruled.agentId,
  principalId: 'user_1',
  scopes: ['calendar:read'],
  timeOfDayStart: '22:00',
  timeOfDayEnd: '06:00',
});
const newPolicy = async ({ service, ruled }: World) => {
  const body = { name: 'Rule', effect: 'allow' };
  const answer = await service.request('POST', '/v1/policies', { key: ruled.key, body });
  return { key: ruled.key, id: String(answer.body.id) };
};
const session = async ({ service, party }: World) => {
  const body = { principalId: 'user_1' };
  const answer = await service.request('POST', '/v1/principal-sessions', { key: party.key, body });
  return { key: String(answer.body.sessionToken) };
};
const page = { page: '1', pageSize: '5' };

/** What is used up by its success is made for each request; an operation that needs nothing has no line. */
const RECIPES: Readonly<Record<string, Recipe>> = {
  'POST /v1/signup': async () => ({
    body: { name: 'Acme', email: `${randomUUID()}@example.com`, mode: 'sandbox' },
  }),
  'POST /v1/keys/rotate': async ({ service }) => ({
    key: (await service.signup()).apiKey,
    body: { overlapSeconds: 0 },
  }),
  'POST /v1/keys': async ({ service }) => ({
    key: (await service.signup()).apiKey,
    body: { name: 'CI', expiresIn: '30d' },
  }),
  'DELETE /v1/keys/{id}': async ({ service }) => {
    const { apiKey: key } = await service.signup();
    return { key, id: (await service.request('POST', '/v1/keys', { key, body: { name: 'CI' } })).body.id };
  },
  'POST /v1/agents': async () => ({
    body: { name: 'Agent', description: 'Reads calendars', scopes: ['calendar:read'] },
  }),
  'GET /v1/agents/{id}': async ({ party }) => ({ id: party.agentId }),
  'PATCH /v1/agents/{id}': async ({ party }) => ({ id: await party.newAgent(), body: change }),
  'POST /v1/agents/{id}': async ({ party }) => ({ id: await party.newAgent(), body: change }),
  'DELETE /v1/agents/{id}': async ({ party }) => ({ id: await party.newAgent() }),
  'POST /v1/authorize': async ({ party }) => ({
    body: {
      agentId: party.agentId,
      principalId: 'user_1',
      scopes: ['calendar:read', 'mail:send'],
      redirectUri: 'https://app.example.com/back?x=1',
      state: 's',
      expiresIn: '2h',
      audience: 'https://api.example.com',
      codeChallenge: 'a'.repeat(43),
      codeChallengeMethod: 'S256',
    },
  }),
  'POST /v1/authorize/{id}/approve': pending,
  'POST /v1/authorize/{id}/deny': pending,
  'GET /consent': async ({ pendingId }) => ({ query: { req: pendingId } }),
  'GET /v1/consent/{id}': async ({ pendingId }) => ({ id: pendingId }),
  'POST /v1/consent/{id}/approve': pending,
  'POST /v1/consent/{id}/deny': pending,
  'POST /v1/token': async ({ party }) => ({
    body: { code: (await party.authorize()).code, agentId: party.agentId },
  }),
  'POST /v1/token/refresh': async (world) => ({
    body: { refreshToken: (await quickGrant(world)).refreshToken, agentId: world.party.agentId },
    headers: { 'idempotency-key': 'retry-1' },
  }),
  'POST /v1/tokens/verify': async ({ pair }) => ({ body: { token: pair.grantToken } }),
  'POST /v1/tokens/revoke': async (world) => ({ body: { jti: jtiOf(await quickGrant(world)) } }),
  'POST /oauth/introspect': async ({ pair }) => ({
    body: { token: pair.grantToken, token_type_hint: 'access_token' },
  }),
  'POST /oauth/revoke': async (world) => ({
    body: { token: (await quickGrant(world)).refreshToken, token_type_hint: 'refresh_token' },
  }),
  'GET /v1/revocations': async () => ({ query: { since: '0', wait: '0' } }),
  'GET /v1/revocations/status': async ({ pair }) => ({
    query: { grantId: pair.grantId, jti: jtiOf(pair) },
  }),
  'POST /v1/grants/verify': async ({ pair }) => ({ body: { token: pair.grantToken } }),
  'POST /v1/grants/delegate': async ({ party, pair }) => ({
    body: {
      parentGrantToken: pair.grantToken,
      subAgentId: party.agentId,
      scopes: ['calendar:read'],
      expiresIn: '30m',
    },
  }),
  'POST /v1/grants/revoke': async ({ party }) => ({
    body: { principalId: 'nobody', agentId: party.agentId, dryRun: false },
  }),
  'GET /v1/grants': async ({ party }) => ({
    query: { agentId: party.agentId, principalId: 'user_1', status: 'active', ...page },
  }),
  'GET /v1/grants/{id}': async ({ pair }) => ({ id: pair.grantId }),
  'DELETE /v1/grants/{id}': async (world) => ({ id: (await quickGrant(world)).grantId }),
  'POST /v1/audit/log': async ({ party, pair }) => ({
    body: {
      agentId: party.agentId,
      agentDid: 'did:example:1',
      grantId: pair.grantId,
      principalId: 'user_1',
      action: 'mail.sent',
      status: 'blocked',
      metadata: { to: 'someone', nested: { list: [1, null, 'x'] } },
    },
  }),
  'GET /v1/audit/entries': async ({ party, pair }) => ({
    query: {
      agentId: party.agentId,
      grantId: pair.grantId,
      principalId: 'user_1',
      action: 'mail.sent',
      since: '2020-01-01T00:00:00Z',
      until: '2099-01-01',
      ...page,
    },
  }),
  'GET /v1/audit/verify': async () => ({ query: { since: '2020-01-01T00:00:00Z', until: '2099-01-01' } }),
  'GET /v1/audit/checkpoints': async () => ({
    query: { since: '2020-01-01T00:00:00Z', until: '2099-01-01', ...page },
  }),
  'GET /v1/compliance/summary': async () => ({
    query: { since: '2020-01-01T00:00:00Z', until: '2099-01-01' },
  }),
  'GET /v1/compliance/export/grants': async () => ({
    query: { since: '2020-01-01T00:00:00Z', until: '2099-01-01', status: 'active' },
  }),
  'GET /v1/compliance/export/audit': async ({ party }) => ({
    query: { since: '2020-01-01T00:00:00Z', until: '2099-01-01', agentId: party.agentId, status: 'blocked' },
  }),
  'GET /v1/compliance/evidence-pack': async () => ({
    query: { since: '2020-01-01T00:00:00Z', until: '2099-01-01', framework: 'gdpr' },
  }),
  'POST /v1/policies': async (world) => ({ key: world.ruled.key, body: policyTerms(world) }),
  'GET /v1/policies': async ({ ruled }) => ({ key: ruled.key }),
  'GET /v1/policies/{id}': newPolicy,
  'PATCH /v1/policies/{id}': async (world) => ({ ...(await newPolicy(world)), body: policyTerms(world) }),
  'DELETE /v1/policies/{id}': newPolicy,
  'POST /v1/anomalies/detect': async () => ({}),
  'GET /v1/anomalies': async () => ({ query: { unacknowledged: 'false' } }),
  'PATCH /v1/anomalies/{id}/acknowledge': async ({ service, party }) => ({
    id: await anomalyOf(service, party),
    body: { notes: 'seen to' },
  }),
  'POST /v1/principal-sessions': async () => ({ body: { principalId: 'user_1', expiresIn: '30m' } }),
  'GET /v1/principal/grants': session,
  'GET /v1/principal/audit': async (world) => ({ ...(await session(world)), query: page }),
  'DELETE /v1/principal/grants/{id}': async (world) => ({
    ...(await session(world)),
    id: (await quickGrant(world)).grantId,
  }),
  'GET /v1/audit/{id}': async ({ entryId }) => ({ id: entryId }),
  'POST /v1/webhooks': async () => ({ body: WEBHOOK }),
  'GET /v1/webhooks/{id}': async ({ webhookId }) => ({ id: webhookId }),
  'DELETE /v1/webhooks/{id}': async ({ service, party }) => {
    const { body } = await service.request('POST', '/v1/webhooks', { key: party.key, body: WEBHOOK });
    return { id: body.id };
  },
  'POST /v1/webhooks/{id}/rotate-secret': async ({ webhookId }) => ({ id: webhookId }),
  'GET /v1/webhooks/{id}/deliveries': async ({ webhookId }) => ({
    id: webhookId,
    query: { status: 'pending', ...page },
  }),
};

/** A request that the operation accepts now; the more optional members, the better for what mutates it. */
export const sampleFor = async (world: World, { name }: Operation): Promise<Sample> => ({
  key: world.party.key,
  ...(await RECIPES[name]?.(world)),
});
