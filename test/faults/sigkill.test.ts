import { expect, test } from 'vitest';
import { createTestDatabase } from '../support/database.ts';
import { newParty } from '../support/flow.ts';
import { expectExplained, snapshotOf } from '../support/reconcile.ts';
import { expectPairsWork, killUnderLoad, printKill } from './kill.ts';
import { expectAnswersStored, expectNothingHalfMade } from './ledger.ts';
import { startOwnService } from './own-service.ts';

test('SIGKILL of the service under load: what was answered is there after the next start', async () => {
  const database = await createTestDatabase();
  // A token contains its issuer, which must not change with the port.
  const env = { JWT_ISSUER: 'https://auth.example.com' };
  const first = await startOwnService({ database, env });
  const party = await newParty(first, 'sandbox');
  const begin = await snapshotOf(first);
  const shots = await killUnderLoad(first, party, 1500);
  expect(new Set(shots.map(({ reply }) => reply.status))).toEqual(new Set([0, 200, 201, 204]));
  await expectAnswersStored(database.sql, shots);
  await expectNothingHalfMade(database.sql);

  const begun = performance.now();
  const second = await startOwnService({ database, env });
  const startMs = performance.now() - begun;
  const pairs = await expectPairsWork(second, party, shots);
  printKill('SIGKILL of the service', shots, pairs, startMs);
  expect(pairs).toBeGreaterThan(100);
  await expectExplained(begin, 1, second);
  expect(await second.stop()).toBe(0);
  await database.drop();
});
