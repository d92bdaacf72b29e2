import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { sumOver } from '../support/ledger.ts';
import { crowd, expectCountersEqualRows, type Replicas, startReplicas, statuses } from './replicas.ts';

let replicas: Replicas;
let live: Party;
let sandbox: Party;
beforeAll(async () => {
  replicas = await startReplicas();
  live = await newParty(replicas.both[0]);
  sandbox = await newParty(replicas.both[0], 'sandbox');
});
afterAll(() => replicas.stop());

const decisions = (decision: string) =>
  sumOver(replicas.both, 'grantex_consent_decisions_total', { decision });

test('approve against deny: one decision counts, and a code comes of it only when it is the approval', async () => {
  const outcomes = { approved: 0, denied: 0 };
  for (let round = 0; round < 40; round++) {
    const { authRequestId } = await live.authorize();
    const { answers } = await crowd(replicas.both, 8, (service, n) =>
      service.request('POST', `/v1/consent/${authRequestId}/${(n + round) % 4 < 2 ? 'approve' : 'deny'}`),
    );
    expect(statuses(answers)).toEqual({ 200: 1, 410: 7 });
    const code = answers.find(({ status }) => status === 200)?.body.code;
    const outcome = code === undefined ? 'denied' : 'approved';
    outcomes[outcome]++;
    const [row] = await replicas.database
      .sql`select status, code_hash is null as "noCode" from authorization_requests where id = ${authRequestId}`;
    expect(row).toEqual({ status: outcome, noCode: code === undefined });
    if (code !== undefined) await live.exchange(code);
  }
  expect({ approved: await decisions('approved'), denied: await decisions('denied') }).toEqual(outcomes);
  await expectCountersEqualRows(replicas);
});

test('a sandbox code against the denial that takes it away: one of the two, never both', async () => {
  for (let round = 0; round < 30; round++) {
    const { authRequestId, code } = await sandbox.authorize();
    const { key, agentId } = sandbox;
    const { answers } = await crowd(replicas.both, 2, (service, n) =>
      (n + round) % 2
        ? service.request('POST', '/v1/token', { key, body: { code, agentId } })
        : service.request('POST', `/v1/authorize/${authRequestId}/deny`, { key }),
    );
    const [first, second] = round % 2 ? [...answers].reverse() : answers;
    // Denied, and the code refused; or exchanged, and there was nothing left to deny.
    expect([
      [200, 400],
      [404, 201],
    ]).toContainEqual([first?.status, second?.status]);
  }
  await expectCountersEqualRows(replicas);
});
