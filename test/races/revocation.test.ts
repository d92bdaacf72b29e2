import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { type Answer, type TestService, untilAvailable } from '../support/service.ts';
import { expectCountersEqualRows, type Replicas, release, startReplicas, statuses } from './replicas.ts';

const ROUNDS = 30;

let replicas: Replicas;
let party: Party;
beforeAll(async () => {
  replicas = await startReplicas();
  party = await newParty(replicas.both[0]);
});
afterAll(() => replicas.stop());

type Send = (service: TestService) => Promise<Answer>;
const post =
  (path: string, body: unknown): Send =>
  (service) =>
    service.request('POST', path, { key: party.key, body });
const remove =
  (path: string): Send =>
  (service) =>
    service.request('DELETE', path, { key: party.key });
const delegate = (parentGrantToken: string, subAgentId = party.agentId) =>
  post('/v1/grants/delegate', { parentGrantToken, subAgentId, scopes: ['calendar:read'] });
const refresh = (refreshToken: string, agentId = party.agentId) =>
  post('/v1/token/refresh', { refreshToken, agentId });
const isValid = async (service: TestService, token: string) =>
  (await post('/v1/tokens/verify', { token })(service)).body.valid;

/** All at once, in turn on each replica, and each round beginning with another. */
const together = (round: number, sends: readonly Send[]): Promise<Answer[]> =>
  Promise.all(
    sends.map((_, n) => {
      const index = (n + round) % sends.length;
      const send = () => (sends[index] as Send)(replicas.both[index % 2] as TestService);
      return untilAvailable(send).then((answer) => ({ index, answer }));
    }),
  ).then((all) => all.sort((a, b) => a.index - b.index).map(({ answer }) => answer));

/** No row of the tree lives, and no token that anybody got of it is valid anywhere. */
async function expectDead(rootId: string, tokens: readonly string[]): Promise<void> {
  const [row] = await replicas.database.sql`
    select count(*)::int as living from grants where root_grant_id = ${rootId} and status = 'active'`;
  expect(row).toEqual({ living: 0 });
  for (const service of replicas.both)
    expect(await Promise.all(tokens.map((token) => isValid(service, token)))).toEqual(
      tokens.map(() => false),
    );
}

test('revoke against delegate and refresh: whoever wins, nothing of the tree lives afterwards', async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const root = await party.grant();
    const child = await party.delegate(root.grantToken);
    const answers = await together(round, [
      delegate(root.grantToken),
      delegate(child.grantToken),
      remove(`/v1/grants/${root.grantId}`),
      refresh(root.refreshToken),
      delegate(child.grantToken),
      refresh(child.refreshToken),
      delegate(root.grantToken),
    ]);
    expect(answers[2]?.status).toBe(204);
    const made = answers.filter(({ status }) => status === 201).map(({ body }) => body.grantToken);
    expect(answers.filter(({ status }) => ![201, 204, 400].includes(status))).toEqual([]);
    await expectDead(root.grantId, [root.grantToken, child.grantToken, ...made]);
  }
  await expectCountersEqualRows(replicas);
});

test('delegations and revocations that wait for one tree together: the tree is dead whichever goes first', async () => {
  for (let round = 0; round < 5; round++) {
    const root = await party.grant();
    const child = await party.delegate(root.grantToken);
    const sends = [
      delegate(child.grantToken),
      remove(`/v1/grants/${root.grantId}`),
      delegate(root.grantToken),
      remove(`/v1/grants/${child.grantId}`),
      delegate(child.grantToken),
    ];
    const answers = await release(
      replicas,
      (tx) => tx`select from grants where id = ${root.grantId} for update`,
      () => together(round, sends),
      sends.length,
    );
    // The child is revoked alone, or has fallen with the root before its turn came.
    expect([answers[1]?.status, [204, 404].includes(answers[3]?.status ?? 0)]).toEqual([204, true]);
    const made = answers.filter(({ status }) => status === 201).map(({ body }) => body.grantToken);
    await expectDead(root.grantId, [root.grantToken, child.grantToken, ...made]);
  }
  await expectCountersEqualRows(replicas);
});

test('of 20 revocations of one grant at once one is 204 and counts', async () => {
  for (let round = 0; round < 5; round++) {
    const { grantId } = await party.grant();
    const answers = await together(round, Array(20).fill(remove(`/v1/grants/${grantId}`)));
    expect(statuses(answers)).toEqual({ 204: 1, 404: 19 });
  }
  await expectCountersEqualRows(replicas);
});

test('a verification that begins after the revocation was answered says invalid, on every replica', async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const root = await party.grant();
    const { grantToken } = await party.delegate(root.grantToken);
    let revoked = false;
    const watchers = replicas.both.flatMap((service) =>
      [1, 2].map(async () => {
        const late: boolean[] = [];
        while (late.length < 2) {
          const began = revoked;
          const valid = await isValid(service, grantToken);
          if (began) late.push(valid);
        }
        return late;
      }),
    );
    const path = `/v1/grants/${root.grantId}`;
    expect((await remove(path)(replicas.both[round % 2] as TestService)).status).toBe(204);
    revoked = true;
    expect((await Promise.all(watchers)).flat()).toEqual(Array(8).fill(false));
  }
});

test('an agent that is deleted while it is granted, refreshed and delegated to leaves nothing alive', async () => {
  for (let round = 0; round < 15; round++) {
    const agentId = await party.newAgent();
    const code = await party.consent({ agentId });
    const own = await party.grant({ agentId });
    const parent = await party.grant();
    const answers = await together(round, [
      post('/v1/token', { code, agentId }),
      delegate(parent.grantToken, agentId),
      refresh(own.refreshToken, agentId),
      remove(`/v1/agents/${agentId}`),
      delegate(own.grantToken),
      post('/v1/authorize', { agentId, principalId: 'user_1', scopes: ['calendar:read'] }),
    ]);
    expect(answers[3]?.status).toBe(204);
    expect(answers.filter(({ status }) => ![201, 204, 400, 404].includes(status))).toEqual([]);
    const [left] = await replicas.database.sql`
      select (select count(*)::int from grants where agent_id = ${agentId}) as grants,
        (select count(*)::int from authorization_requests where agent_id = ${agentId}) as requests`;
    expect(left).toEqual({ grants: 0, requests: 0 });
    await expectDead(
      own.grantId,
      answers.slice(0, 5).flatMap(({ status, body }) => (status === 201 ? body.grantToken : [])),
    );
    expect(await party.verify(parent.grantToken)).toBe(true);
  }
  await expectCountersEqualRows(replicas);
});
