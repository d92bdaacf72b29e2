import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { sumOver } from '../support/ledger.ts';
import type { TestService } from '../support/service.ts';
import {
  crowd,
  expectCountersEqualRows,
  type Replicas,
  release,
  startReplicas,
  statuses,
} from './replicas.ts';

const CALLERS = 1000;
/** The race begins when as many wait for the row, having read that nobody has used it; one alone cannot hold all callers. */
const STATEMENTS = 2;

let replicas: Replicas;
let party: Party;
beforeAll(async () => {
  replicas = await startReplicas();
  party = await newParty(replicas.both[0]);
});
afterAll(() => replicas.stop());

const errors = (family: string) => sumOver(replicas.both, `grantex_${family}_total`, { status: 'error' });
const successes = (family: string) =>
  sumOver(replicas.both, `grantex_${family}_total`, { status: 'success' });
const revocationsOf = (grantId: string) =>
  replicas.both.flatMap(({ logs }) =>
    logs
      .filter((line) => line.msg === 'grant.revoked' && line['grantId'] === grantId)
      .map(({ revokedBy }) => revokedBy),
  );

/** The losers' use of what the winner has used gives it away as leaked: its grant is gone, and was revoked once. */
async function expectRevokedOnce(grantId: string, token: string, revokedBy: string): Promise<void> {
  const { body } = await replicas.both[1].request('GET', `/v1/grants/${grantId}`, { key: party.key });
  expect(body.status).toBe('revoked');
  expect(await party.verify(token)).toBe(false);
  expect(revocationsOf(grantId)).toEqual([revokedBy]);
}

const PLACES: [string, () => readonly TestService[]][] = [
  ['one process', () => [replicas.both[0]]],
  ['two processes', () => replicas.both],
];

test.each(PLACES)('1,000 callers with one code, %s: one 201, 999 replays', async (_where, services) => {
  const code = await party.consent();
  const before = { success: await successes('token_exchange'), error: await errors('token_exchange') };
  const { answers, repetitions } = await release(
    replicas,
    (tx) => tx`select from authorization_requests where agent_id = ${party.agentId} for update`,
    () =>
      crowd(services(), CALLERS, (service) =>
        service.request('POST', '/v1/token', { key: party.key, body: { code, agentId: party.agentId } }),
      ),
    STATEMENTS,
  );
  expect(statuses(answers)).toEqual({ 201: 1, 400: CALLERS - 1 });
  expect(await successes('token_exchange')).toBe(before.success + 1);
  expect(await errors('token_exchange')).toBe(before.error + CALLERS - 1 + repetitions);
  const winner = answers.find(({ status }) => status === 201)?.body;
  await expectRevokedOnce(winner.grantId, winner.grantToken, 'code_replay');
  await expectCountersEqualRows(replicas);
});

test.each(PLACES)(
  '1,000 callers with one refresh token, %s: one 201, 999 reuses',
  async (_where, services) => {
    const { refreshToken, grantId } = await party.grant();
    const before = { success: await successes('token_refresh'), error: await errors('token_refresh') };
    const { answers, repetitions } = await crowd(services(), CALLERS, (service) =>
      service.request('POST', '/v1/token/refresh', {
        key: party.key,
        body: { refreshToken, agentId: party.agentId },
      }),
    );
    expect(statuses(answers)).toEqual({ 201: 1, 400: CALLERS - 1 });
    expect(await successes('token_refresh')).toBe(before.success + 1);
    expect(await errors('token_refresh')).toBe(before.error + CALLERS - 1 + repetitions);
    const winner = answers.find(({ status }) => status === 201)?.body;
    await expectRevokedOnce(grantId, winner.grantToken, 'refresh_reuse');
    await expectCountersEqualRows(replicas);
  },
);

test('200 retries of one refresh under one Idempotency-Key, two processes: all 201, and one successor is left', async () => {
  const { refreshToken, grantId } = await party.grant();
  const { answers } = await crowd(replicas.both, 200, (service) =>
    service.request('POST', '/v1/token/refresh', {
      key: party.key,
      body: { refreshToken, agentId: party.agentId },
      headers: { 'idempotency-key': 'once' },
    }),
  );
  expect(statuses(answers)).toEqual({ 201: 200 });
  const [row] = await replicas.database.sql`
    select count(*)::int as live from refresh_tokens
    where grant_id = ${grantId} and used_at is null and replaced_at is null`;
  expect(row).toEqual({ live: 1 });
  const again = await Promise.all(answers.map(({ body }) => party.verify(body.grantToken)));
  expect(new Set(again)).toEqual(new Set([true]));
});
