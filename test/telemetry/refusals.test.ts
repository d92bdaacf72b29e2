import { afterAll, beforeAll, expect, test } from 'vitest';
import { type SentSpan, type Sink, sentSpans } from '../instrumentation/child.ts';
import { newParty, type Party, type TokenPair } from '../support/flow.ts';
import { type TestService, waitFor } from '../support/service.ts';
import { startTracedService, type TracedService } from './traced-service.ts';

let traced: TracedService;
let sink: Sink;
let service: TestService;
let party: Party;
beforeAll(async () => {
  traced = await startTracedService();
  ({ service, sink } = traced);
  party = await newParty(service);
});
afterAll(() => traced?.stop());

/** The spans of this name that `work` brings about, once there are so many. */
async function spansOf(name: string, count: number, work: () => Promise<unknown>): Promise<SentSpan[]> {
  const named = () => sentSpans(sink).filter((span) => span.name === name);
  const before = named().length;
  await work();
  return waitFor(() => (named().length >= before + count ? named().slice(before) : undefined));
}

const call = async (status: number, method: string, path: string, body?: object, key = party.key) => {
  const answer = await service.request(method, path, { key, body });
  expect([path, answer.status]).toEqual([path, status]);
  return answer.body;
};

const idsOfGrant = (grantId: string) => ({
  'grantex.grant_id': grantId,
  'grantex.developer_id': party.developerId,
});

test('a revocation of nothing has its error.type, and no error status', async () => {
  const { grantId } = await party.grant();
  const { sessionToken } = await call(201, 'POST', '/v1/principal-sessions', { principalId: 'user_1' });
  const spans = await spansOf('grantex.grant.revoke', 4, async () => {
    await call(204, 'DELETE', `/v1/grants/${grantId}`);
    await call(404, 'DELETE', `/v1/grants/${grantId}`);
    await call(404, 'DELETE', '/v1/grants/zzz');
    await call(404, 'DELETE', `/v1/principal/grants/${grantId}`, undefined, sessionToken);
  });
  const refused = { 'error.type': 'NOT_FOUND' };
  expect(spans.map(({ attributes }) => attributes)).toEqual([idsOfGrant(grantId), refused, refused, refused]);
  expect(spans.map(({ status }) => status.code)).toEqual([0, 0, 0, 0]);
});

test('a replay of what is revoked already is refused for itself: its revocation has not failed', async () => {
  const { agentId } = party;
  const code = await party.consent();
  const { grantId, refreshToken } = await party.exchange(code);
  await call(201, 'POST', '/v1/token/refresh', { refreshToken, agentId });
  const spans = await spansOf('grantex.grant.revoke', 3, async () => {
    await call(204, 'DELETE', `/v1/grants/${grantId}`);
    await call(400, 'POST', '/v1/token', { code, agentId });
    await call(400, 'POST', '/v1/token/refresh', { refreshToken, agentId });
  });
  expect(spans.map(({ attributes }) => attributes)).toEqual([idsOfGrant(grantId), {}, {}]);
});

test('an own token that is not valid has its ids on the span, whatever is wrong with it; a strange one has none', async () => {
  const agentId = await party.newAgent();
  const fallen = await party.grant({ agentId });
  const ended = await party.grant({ agentId });
  const suspended = await party.grant({ agentId });
  const brief = await party.grant({ agentId, expiresIn: '1s' });
  await call(204, 'DELETE', `/v1/grants/${fallen.grantId}`);
  await service.database.sql`update grants set expires_at = now() where id = ${ended.grantId}`;
  const status = () => call(200, 'GET', `/v1/revocations/status?grantId=${brief.grantId}`);
  await expect.poll(status).toMatchObject({ status: 'expired' });

  const idsOf = async ({ grantToken }: Pick<TokenPair, 'grantToken'>, key?: string) => {
    const [span] = await spansOf('grantex.token.verify', 1, async () => {
      const answer = await call(200, 'POST', '/v1/tokens/verify', { token: grantToken }, key);
      expect(answer).toEqual({ valid: false });
    });
    const { 'grantex.refusal_reason': reason, ...ids } = span?.attributes ?? {};
    expect(reason).toEqual(expect.any(String));
    return ids;
  };
  const own = ({ grantId }: TokenPair) => ({ ...idsOfGrant(grantId), 'grantex.agent_id': agentId });
  expect(await idsOf(fallen)).toEqual(own(fallen));
  expect(await idsOf(ended)).toEqual(own(ended));
  expect(await idsOf(brief)).toEqual(own(brief));
  await call(200, 'PATCH', `/v1/agents/${agentId}`, { status: 'suspended' });
  expect(await idsOf(suspended)).toEqual(own(suspended));

  const { key } = await newParty(service);
  for (const pair of [fallen, ended, brief, suspended]) expect(await idsOf(pair, key)).toEqual({});
  expect(await idsOf({ grantToken: 'not.a.token' })).toEqual({});
});
