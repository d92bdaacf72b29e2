import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { reseal, type SealedText } from '../../src/secrets/reseal.ts';
import { createSealer } from '../../src/secrets/sealing.ts';
import { sealedSecrets } from '../../src/webhooks/sealed-store.ts';
import { openSecret, purposeOf, sealSecret } from '../../src/webhooks/secret.ts';
import { replaceSecret } from '../../src/webhooks/store.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { openTestDatabase } from '../support/open-database.ts';
import { startService } from '../support/service.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

test('a rotation while secrets are sealed anew leaves none with the old key', async () => {
  const service = await startService({ database });
  const { developerId } = await service.signup();
  await service.stop();
  const db = await openTestDatabase(database);
  const [to, from] = [createSealer(randomBytes(32)), createSealer(randomBytes(32))];
  await database.sql`insert into webhooks (id, developer_id, url, events, sealed_secret, created_at)
    values ('wh_1', ${developerId}, 'https://hooks.invalid/', '{grant.created}', ${sealSecret(from, 'wh_1', 'first')}, now())`;
  async function* rotatedAfterReading(): AsyncGenerator<SealedText[]> {
    for await (const batch of sealedSecrets(db, purposeOf)) {
      const sealedSecret = sealSecret(to, 'wh_1', 'second');
      const previousSecretUntil = new Date('2030-01-01T00:00:00Z');
      await replaceSecret(db, { developerId, id: 'wh_1' }, { sealedSecret, previousSecretUntil });
      yield batch;
    }
  }
  expect(await reseal(rotatedAfterReading(), { to, from })).toEqual({ resealed: 1, current: 0, lost: [] });
  const [row] =
    await database.sql`select sealed_secret as sealed, previous_sealed_secret as previous from webhooks`;
  expect([row?.['sealed'], row?.['previous']].map((sealed) => openSecret(to, 'wh_1', sealed))).toEqual([
    'second',
    'first',
  ]);
  await db.close(5000);
});
