import { createLocalJWKSet, decodeProtectedHeader, jwtVerify, SignJWT } from 'jose';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Database, openDatabase } from '../../src/db/client.ts';
import { createSealer } from '../../src/secrets/sealing.ts';
import { rotateKeys } from '../../src/signing-keys/create-key.ts';
import { databaseKeyRing, type KeyRing } from '../../src/signing-keys/key-ring.ts';
import { NO_DATABASE_TELEMETRY } from '../../src/telemetry/database.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty } from '../support/flow.ts';
import { SECRET_KEY, startService, waitFor } from '../support/service.ts';

const MINUTE = 60_000;
const sealer = createSealer(Buffer.from(SECRET_KEY, 'base64'));

let database: TestDatabase;
let db: Database;
let rings: KeyRing[];
let now: number;
/** SIGNING_ALGORITHM. */
let algorithm: 'RS256' | 'ES256';
/** How often the published keys were read. */
let looks: number;
beforeEach(async () => {
  database = await createTestDatabase();
  db = openDatabase({
    url: database.url,
    poolMax: 4,
    telemetry: {
      ...NO_DATABASE_TELEMETRY,
      statement: (statement, _links, run) => {
        if (statement.name === 'keys.published') looks++;
        return run();
      },
    },
    onConnectionError: () => undefined,
  });
  rings = [];
  announced = [];
  now = Date.now();
  algorithm = 'RS256';
  looks = 0;
});
afterEach(async () => {
  vi.useRealTimers();
  for (const ring of rings) ring.close();
  await db.close(1000);
  await database.drop();
});

let announced: { kid: string; rotated: boolean }[];
/** A replica that starts at this moment. */
async function start(): Promise<KeyRing> {
  const fail = (error: unknown) => {
    throw error;
  };
  const ring = await databaseKeyRing({ db, sealer, algorithm, clock: { now: () => now } }, fail, {
    added: (key) => void announced.push(key),
    revoked: () => undefined,
  });
  rings.push(ring);
  return ring;
}
const rotate = () => rotateKeys({ db, sealer, now, algorithm });
const kidsOf = (ring: KeyRing) => ring.published().map(({ kid }) => kid);

test('the first key signs at once; a later one is published at once and signs after more than 60 s', async () => {
  const replicas = await Promise.all([start(), start(), start()]);
  const [first] = new Set(replicas.map((ring) => ring.signer().kid));
  const later = await rotate();
  expect(later.signsFrom.getTime() - now).toBeGreaterThanOrEqual(MINUTE);
  for (const ring of replicas) {
    expect(await ring.verifier(later.kid)).toBeDefined();
    expect(kidsOf(ring)).toEqual([first, later.kid]);
    expect(ring.signer().kid).toBe(first);
  }
  now = later.signsFrom.getTime() - 1;
  expect(replicas.map((ring) => ring.signer().kid)).toEqual([first, first, first]);
  now += 1;
  expect(replicas.map((ring) => ring.signer().kid)).toEqual([later.kid, later.kid, later.kid]);
});

test('replicas that start at the same moment make one key between them', async () => {
  const { sql } = database;
  // All of them come to the table while the test holds it, and go on together.
  const { starting } = await sql.begin(async (holding) => {
    await holding`lock table signing_keys in share mode`;
    const replicas = Promise.all([start(), start(), start()]);
    await waitFor(async () => {
      const [row] = await sql`select count(*)::int as waiting from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`;
      return row?.['waiting'] === 3 || undefined;
    });
    return { starting: replicas };
  });
  const rows = await starting.then(() => sql`select kid from signing_keys`);
  expect(rows).toHaveLength(1);
  expect(new Set(rings.map((ring) => ring.signer().kid)).size).toBe(1);
});

test('of keys that were rotated in soon after each other each signs in its turn', async () => {
  await start();
  const second = await rotate();
  now += 30_000;
  const third = await rotate();
  const ring = await start();
  now = second.signsFrom.getTime();
  expect(ring.signer().kid).toBe(second.kid);
  now = third.signsFrom.getTime();
  expect(ring.signer().kid).toBe(third.kid);
});

test('a rotation before the first start makes the first key, which signs at once', async () => {
  const { kid } = await rotate();
  expect((await start()).signer().kid).toBe(kid);
});

test('an old key is published until the last token that it signed has expired', async () => {
  const service = await startService({ database });
  const party = await newParty(service);
  await party.grant({ expiresIn: '30m' });
  const { grantToken, expiresAt } = await party.grant({ expiresIn: '1h' });
  await service.stop();
  const old = decodeProtectedHeader(grantToken).kid;
  const { kid, signsFrom } = await rotate();
  now = signsFrom.getTime() + 2 * MINUTE;
  expect(kidsOf(await start())).toEqual([old, kid]);
  now = Date.parse(expiresAt) - 1;
  const ring = await start();
  expect(ring.signer().kid).toBe(kid);
  const verified = await jwtVerify(grantToken, createLocalJWKSet({ keys: [...ring.published()] }), {
    currentDate: new Date(now - 1000),
  });
  expect(verified.protectedHeader.kid).toBe(old);
  now += 1;
  expect(kidsOf(await start())).toEqual([kid]);
});

test('a rotation to ES256 publishes both keys, and each verifies its own tokens', async () => {
  const ring = await start();
  const rsa = ring.signer();
  algorithm = 'ES256';
  const { kid, signsFrom } = await rotate();
  const replica = await start();
  expect(replica.published().map((jwk) => [jwk.kid, jwk.kty, jwk.alg])).toEqual([
    [rsa.kid, 'RSA', 'RS256'],
    [kid, 'EC', 'ES256'],
  ]);
  expect(Object.keys(replica.published()[1] ?? {}).sort()).toEqual(
    ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'].sort(),
  );
  expect(replica.signer()).toMatchObject({ kid: rsa.kid, alg: 'RS256' });
  now = signsFrom.getTime();
  expect(replica.signer()).toMatchObject({ kid, alg: 'ES256' });
  expect((await ring.verifier(kid))?.alg).toBe('ES256');
  const jwks = createLocalJWKSet({ keys: [...replica.published()] });
  for (const { kid: of, alg, key } of [rsa, replica.signer()]) {
    const token = await new SignJWT({ sub: 'a' }).setProtectedHeader({ alg, kid: of }).sign(key);
    expect((await jwtVerify(token, jwks)).payload).toEqual({ sub: 'a' });
  }
});

test('a key that signed nothing is gone a minute after the next one signs, and not before', async () => {
  const first = (await start()).signer().kid;
  const { kid, signsFrom } = await rotate();
  now = signsFrom.getTime() + MINUTE - 1;
  expect(kidsOf(await start())).toEqual([first, kid]);
  now += 1;
  expect(kidsOf(await start())).toEqual([kid]);
});

test('a key id that is not known yet is looked up; a flood of invented ones is one look', async () => {
  const ring = await start();
  const { kid } = await rotate();
  looks = 0;
  const asked = await Promise.all([kid, ...Array(50).keys()].map((id) => ring.verifier(`${id}`)));
  expect(asked).toEqual([expect.anything(), ...Array(50).fill(undefined)]);
  expect(looks).toBe(1);
});

test('a ring looks by itself after half of the ten seconds within which a revocation must hold', async () => {
  vi.useFakeTimers({ toFake: ['setInterval'] });
  const ring = await start();
  const { kid } = await rotate();
  vi.advanceTimersByTime(5000);
  await waitFor(() => ring.knows(kid) || undefined);
});

test('with another SECRET_KEY neither a start nor a rotation does anything but fail', async () => {
  const first = (await start()).signer().kid;
  const other = createSealer(Buffer.alloc(32, 9));
  const clock = { now: () => now };
  const refusal = /: SECRET_KEY does not open the signing keys in the database/;
  await expect(
    databaseKeyRing({ db, sealer: other, clock, algorithm }, () => undefined, {
      added: () => undefined,
      revoked: () => undefined,
    }),
  ).rejects.toThrow(refusal);
  await expect(rotateKeys({ db, sealer: other, now, algorithm })).rejects.toThrow(refusal);
  expect(kidsOf(await start())).toEqual([first]);
});

test('metrics say how many keys are published, for how long the one that signs has, and when they were read', async () => {
  const ring = await start();
  const { signsFrom } = await rotate();
  now += 90_000;
  expect(ring.observe()).toMatchObject({ published: 1, signingFor: 90 });
  now = signsFrom.getTime() + 5000;
  const replica = await start();
  expect(replica.observe()).toMatchObject({ published: 2, signingFor: 5 });
  // The time of day was put back behind the moment from which the key signs.
  now = signsFrom.getTime() - 10 * MINUTE;
  expect(replica.observe().signingFor).toBe(0);
});

test('keys that are gone from the database are gone from the metrics with the next look', async () => {
  const ring = await start();
  await database.sql`delete from signing_keys`;
  expect(await ring.verifier('unknown')).toBeUndefined();
  expect(ring.observe()).toEqual({ published: 0, signingFor: null, readAgo: expect.any(Number) });
  expect(() => ring.signer()).toThrow('no signing key');
});

test('the time since the last look grows while looks fail, and the keys go on', async () => {
  const ring = await start();
  await database.sql`alter table signing_keys rename to hidden`;
  const before = ring.observe().readAgo ?? 0;
  await expect(ring.verifier('unknown')).rejects.toThrow();
  const after = ring.observe();
  expect(after).toMatchObject({ published: 1 });
  expect(after.readAgo).toBeGreaterThan(before);
  await database.sql`alter table hidden rename to signing_keys`;
});

test('each new key is announced by one replica, once: the first as made, a later one as rotated', async () => {
  const replicas = await Promise.all([start(), start(), start()]);
  const [first] = kidsOf(replicas[0] as KeyRing);
  expect(announced).toEqual([{ kid: first, rotated: false }]);
  now += 1000;
  const { kid } = await rotate();
  await Promise.all(replicas.map((ring) => ring.verifier(kid)));
  expect(announced.slice(1)).toEqual([{ kid, rotated: true }]);
  await start();
  expect(announced).toHaveLength(2);
});
