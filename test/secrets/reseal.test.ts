import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Resealed, reseal, type SealedText } from '../../src/secrets/reseal.ts';
import { createSealer } from '../../src/secrets/sealing.ts';
import { openSecret, sealSecret } from '../../src/webhooks/secret.ts';
import { npmOutput, npmRun } from '../support/command.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty } from '../support/flow.ts';
import { SECRET_KEY, startService } from '../support/service.ts';

const NEW_KEY = Buffer.alloc(32, 8).toString('base64');
const keyOf = (text: string) => Buffer.from(text, 'base64');

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

test('a run that ends early loses nothing, and the next one passes over what is done', async () => {
  const [to, from] = [createSealer(randomBytes(32)), createSealer(randomBytes(32))];
  const stored = Array.from({ length: 7 }, (_, n) => from.seal(`secret ${n}`, `row ${n}`));
  let left = 3;
  async function* batches(): AsyncGenerator<SealedText[]> {
    for (let n = 0; n < stored.length; n++)
      yield [
        {
          name: `row ${n}`,
          purpose: `row ${n}`,
          sealed: stored[n] as Buffer,
          replace: async (sealed) => {
            if (left-- === 0) throw new Error('killed');
            stored[n] = sealed;
          },
        },
      ];
  }
  await expect(reseal(batches(), { to, from })).rejects.toThrow('killed');
  left = 100;
  stored[6] = createSealer(randomBytes(32)).seal('x', 'row 6');
  const expected: Resealed = { resealed: 3, current: 3, lost: ['row 6'] };
  expect(await reseal(batches(), { to, from })).toEqual(expected);
  for (let n = 0; n < 6; n++) expect(to.open(stored[n] as Buffer, `row ${n}`)).toBe(`secret ${n}`);
});

test('SECRET_KEY is replaced while replicas run: first all know both keys, then the secrets are sealed anew', async () => {
  const env = { JWT_ISSUER: 'https://auth.test' };
  const both = { ...env, SECRET_KEY: NEW_KEY, SECRET_KEY_OLD: SECRET_KEY };
  // Seals with the old key, and knows the new one.
  const earlier = await startService({ database, env: { ...env, SECRET_KEY_OLD: NEW_KEY } });
  const party = await newParty(earlier);
  const { grantToken } = await party.grant();
  const session = (at: typeof earlier) =>
    at.request('POST', '/v1/principal-sessions', { key: party.key, body: { principalId: 'user_1' } });
  const hook = { url: 'https://hooks.invalid/', events: ['grant.revoked'] };
  const { id, secret: previous } = (
    await earlier.request('POST', '/v1/webhooks', { key: party.key, body: hook })
  ).body;
  const { secret } = (await earlier.request('POST', `/v1/webhooks/${id}/rotate-secret`, { key: party.key }))
    .body;
  const later = await startService({ database, env: both });
  // Sealed with the new key. A developer with hundreds of webhooks could not add it.
  const second = (await later.request('POST', '/v1/webhooks', { key: party.key, body: hook })).body;
  await database.sql`insert into webhooks (id, developer_id, url, events, sealed_secret, created_at)
    select * from unnest(${Array.from({ length: 450 }, (_, n) => `wh_${n}`)}::text[],
      ${Array.from({ length: 450 }, () => party.developerId)}::text[], ${Array.from({ length: 450 }, () => hook.url)}::text[]) as one (id, dev, url)
      cross join lateral (select '{grant.created}'::text[], ''::bytea, now()) rest`;
  const old = createSealer(keyOf(SECRET_KEY));
  for (let n = 0; n < 450; n++)
    await database.sql`update webhooks set sealed_secret = ${sealSecret(old, `wh_${n}`, `whsec_${n}`)} where id = ${`wh_${n}`}`;

  const mine = (await session(earlier)).body.sessionToken;
  const theirs = (await session(later)).body.sessionToken;
  for (const replica of [earlier, later])
    for (const key of [mine, theirs])
      expect((await replica.request('GET', '/v1/principal/grants', { key })).status).toBe(200);

  const run = () => npmOutput('keys', ['reseal'], { DATABASE_URL: database.url, ...both });
  expect(await run()).toBe(
    'signing keys: 1 sealed anew, 0 were already\nwebhook secrets: 452 sealed anew, 1 were already\n',
  );
  expect(await run()).toBe(
    'signing keys: 0 sealed anew, 1 were already\nwebhook secrets: 0 sealed anew, 453 were already\n',
  );
  // Both go on, and so does a replica that has never known the old key.
  const only = await startService({ database, env: { ...env, SECRET_KEY: NEW_KEY } });
  for (const replica of [earlier, later, only]) {
    const answer = await replica.request('POST', '/v1/tokens/verify', {
      key: party.key,
      body: { token: grantToken },
    });
    expect(answer.body.valid).toBe(true);
  }
  const fresh = createSealer(keyOf(NEW_KEY));
  const rows =
    await database.sql`select id, sealed_secret as sealed from webhooks where id in (${id}, ${second.id}, 'wh_449')`;
  const opened = Object.fromEntries(
    rows.map((row) => [row['id'], openSecret(fresh, row['id'], row['sealed'])]),
  );
  expect(opened).toEqual({ [id]: secret, [second.id]: second.secret, wh_449: 'whsec_449' });
  const [rotated] =
    await database.sql`select previous_sealed_secret as sealed from webhooks where id = ${id}`;
  expect(openSecret(fresh, id, rotated?.['sealed'])).toBe(previous);
  await Promise.all([earlier, later, only].map((replica) => replica.stop()));
});

test('what neither key opens is named, and the command needs both keys', async () => {
  const wrong = { DATABASE_URL: database.url, SECRET_KEY: Buffer.alloc(32, 1).toString('base64') };
  const lost = await npmRun('keys', ['reseal'], {
    ...wrong,
    SECRET_KEY_OLD: Buffer.alloc(32, 2).toString('base64'),
  });
  expect(lost).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /^neither SECRET_KEY nor SECRET_KEY_OLD opens: signing key .*\(454 in all\)\n$/,
    ),
  });
  expect(await npmRun('keys', ['reseal'], wrong)).toMatchObject({
    code: 78,
    stderr: expect.stringMatching(/^SECRET_KEY_OLD must be set/),
  });
});
