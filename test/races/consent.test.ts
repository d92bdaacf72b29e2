import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { sumOver } from '../support/ledger.ts';
import type { Answer } from '../support/service.ts';
import {
  crowd,
  expectCountersEqualRows,
  type Replicas,
  startReplicas,
  statuses,
  waitForLocks,
} from './replicas.ts';

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

test.each(['approve', 'deny'] as const)(
  'the code of a sandbox request against %s, which takes it away: one of the two, never both',
  async (verb) => {
    const { key, agentId } = sandbox;
    const { sql } = replicas.database;
    for (let round = 0; round < 10; round++) {
      const { authRequestId, code } = await sandbox.authorize();
      const sends = [
        () => replicas.both[0].request('POST', `/v1/authorize/${authRequestId}/${verb}`, { key }),
        () => replicas.both[1].request('POST', '/v1/token', { key, body: { code, agentId } }),
      ];
      if (round % 2) sends.reverse();
      // Both have read the request as it was; the first of them changes it before the second goes on.
      const held = await sql.begin(async (holding) => {
        await holding`select from authorization_requests where id = ${authRequestId} for update`;
        const answers: Promise<Answer>[] = [];
        for (const send of sends) {
          answers.push(send());
          await waitForLocks(sql, answers.length);
        }
        return { answers: Promise.all(answers) };
      });
      const answers = await held.answers;
      const [decided, exchanged] = (round % 2 ? answers.reverse() : answers).map(({ status }) => status);
      // Decided, and the code refused; or exchanged, and there was nothing left to decide.
      expect([
        [200, 400],
        [404, 201],
      ]).toContainEqual([decided, exchanged]);
    }
    await expectCountersEqualRows(replicas);
  },
);
