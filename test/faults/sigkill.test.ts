import { once } from 'node:events';
import { expect, test } from 'vitest';
import { printTable } from '../load/table.ts';
import { createTestDatabase } from '../support/database.ts';
import { processesOn } from '../support/embedded.ts';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService, temporaryDirectory, waitFor } from '../support/service.ts';
import { spread } from './client.ts';
import { expectAnswersStored, expectNothingHalfMade } from './ledger.ts';
import { isGood, type Shot, startTraffic } from './traffic.ts';

const SECOND = 1_000;
const TOKENS = new Set(['exchange', 'refresh', 'delegate']);

/** Load until `count` requests have succeeded, then SIGKILL in the middle of it; what the callers learned until then. */
async function killUnderLoad(service: TestService, party: Party, count: number): Promise<readonly Shot[]> {
  const traffic = startTraffic({ url: service.url, ...party });
  await waitFor(() => traffic.shots.length >= count || undefined, 30 * SECOND);
  const exited = once(service.process, 'exit');
  service.process.kill('SIGKILL');
  await exited;
  await traffic.stop();
  return traffic.shots;
}

/** Every pair of tokens that a caller received works, unless the caller itself revoked its grant or used it up. */
async function expectPairsWork(service: TestService, party: Party, shots: readonly Shot[]): Promise<number> {
  const ofKind = (...kinds: string[]) => shots.filter((shot) => kinds.includes(shot.kind));
  const revoking = new Set(ofKind('revoke').map(({ grantId }) => grantId));
  const used = new Set(ofKind('refresh').map(({ sending }) => (sending.body as Pair).refreshToken));
  const pairs = shots.filter((shot) => TOKENS.has(shot.kind) && isGood(shot));
  const root = ({ grantId, reply }: Shot): string => grantId ?? reply.body.grantId;
  const living = pairs.filter((shot) => !revoking.has(root(shot))).map(({ reply }): Pair => reply.body);
  await spread(service.url, { count: living.length, width: 8 }, async (client, index) => {
    const { grantToken, refreshToken } = living[index] ?? NO_PAIR;
    const { key, agentId } = party;
    const verify = { method: 'POST', path: '/v1/tokens/verify', key, body: { token: grantToken } };
    expect((await client.send(verify)).body).toMatchObject({ valid: true });
    if (used.has(refreshToken)) return;
    const refresh = { method: 'POST', path: '/v1/token/refresh', key, body: { agentId, refreshToken } };
    expect((await client.send(refresh)).status).toBe(201);
  });
  return living.length;
}
interface Pair {
  readonly grantToken: string;
  readonly refreshToken: string;
}
const NO_PAIR: Pair = { grantToken: '', refreshToken: '' };

const print = (title: string, shots: readonly Shot[], pairs: number, again: number) =>
  printTable(title, [
    {
      requests: shots.length,
      answered: shots.filter(isGood).length,
      'without an answer': shots.filter(({ reply }) => reply.status === 0).length,
      'pairs tried again': pairs,
      'next start ms': Math.round(again),
    },
  ]);

test('SIGKILL of the service under load: what was answered is there after the next start', async () => {
  const database = await createTestDatabase();
  // A token names its issuer, which must not change with the port.
  const env = { JWT_ISSUER: 'https://auth.example.com' };
  const first = await startService({ database, env });
  const party = await newParty(first, 'sandbox');
  const shots = await killUnderLoad(first, party, 1500);
  expect(new Set(shots.map(({ reply }) => reply.status))).toEqual(new Set([0, 200, 201, 204]));
  await expectAnswersStored(database.sql, shots);
  await expectNothingHalfMade(database.sql);

  const begun = performance.now();
  const second = await startService({ database, env });
  const startMs = performance.now() - begun;
  const pairs = await expectPairsWork(second, party, shots);
  print('SIGKILL of the service', shots, pairs, startMs);
  expect(pairs).toBeGreaterThan(100);
  expect(await second.stop()).toBe(0);
  await database.drop();
});

test('the same with the embedded database, which ends with the service and starts again with everything', async () => {
  const { path, remove } = await temporaryDirectory();
  const env = { DATA_DIR: path, DATABASE_URL: '', SECRET_KEY: '', JWT_ISSUER: 'https://auth.example.com' };
  const unused = await createTestDatabase();
  const first = await startService({ env, database: unused });
  const party = await newParty(first, 'sandbox');
  const shots = await killUnderLoad(first, party, 1500);

  const begun = performance.now();
  const second = await startService({ env, database: unused });
  const startMs = performance.now() - begun;
  const pairs = await expectPairsWork(second, party, shots);
  print('SIGKILL of the service with its embedded database', shots, pairs, startMs);
  expect(pairs).toBeGreaterThan(100);

  second.process.kill('SIGKILL');
  await waitFor(() => processesOn(path).length === 0 || undefined, 15 * SECOND);
  await unused.drop();
  await remove();
});
