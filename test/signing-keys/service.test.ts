import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSealer } from '../../src/secrets/sealing.ts';
import { npmOutput, npmRun } from '../support/command.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty, type TokenPair } from '../support/flow.ts';
import {
  runToEnd,
  SECRET_KEY,
  startService,
  type TestService,
  temporaryDirectory,
  waitFor,
} from '../support/service.ts';

const JWT_ISSUER = 'https://auth.test';

let database: TestDatabase;
let replicas: TestService[];
const start = (env: Record<string, string> = {}) => startService({ database, env: { JWT_ISSUER, ...env } });
beforeAll(async () => {
  database = await createTestDatabase();
  replicas = await Promise.all([start(), start()]);
});
afterAll(async () => {
  await Promise.all(replicas.map((replica) => replica.stop()));
  await database.drop();
});

const first = () => replicas[0] as TestService;
const jwks = (service: TestService) => service.request('GET', '/.well-known/jwks.json');
const kidsOf = async (service: TestService): Promise<string[]> =>
  (await jwks(service)).body.keys.map(({ kid }: { kid: string }) => kid);
const kidOf = ({ grantToken }: TokenPair) => decodeProtectedHeader(grantToken).kid;
const settings = (env: Record<string, string> = {}) => ({ DATABASE_URL: database.url, SECRET_KEY, ...env });
const keys = (command: string, env = {}) => npmOutput('keys', [command], settings(env));
const refusedKeys = (command: string, env = {}) => npmRun('keys', [command], settings(env));
/** As a client does: with nothing but the published keys. */
const verifyOffline = (service: TestService, { grantToken }: TokenPair) =>
  jwtVerify(grantToken, createRemoteJWKSet(new URL('/.well-known/jwks.json', service.url)), {
    issuer: JWT_ISSUER,
    algorithms: ['RS256'],
  });

test('two replicas that start at once on an empty database share one first key', async () => {
  const rows = await database.sql`select kid from signing_keys`;
  expect(rows).toHaveLength(1);
  const [one, other] = await Promise.all(replicas.map(jwks));
  expect(one?.body.keys).toEqual(other?.body.keys);
  const pair = await (await newParty(first())).grant();
  expect(kidOf(pair)).toBe(rows[0]?.['kid']);
  for (const replica of replicas) await verifyOffline(replica, pair);
});

test('the JWKS: RSA, public members only, cacheable for no longer than a key waits, never limited', async () => {
  const limited = await start({ RATE_LIMIT_ENABLED: 'true', RATE_LIMITS: 'api=1/60,consent=1/60' });
  for (let n = 0; n < 5; n++) {
    const { status, body, headers } = await jwks(limited);
    expect(status).toBe(200);
    expect(body).toEqual({
      keys: [
        { kty: 'RSA', alg: 'RS256', use: 'sig', kid: expect.any(String), n: expect.any(String), e: 'AQAB' },
      ],
    });
    expect(Buffer.from(body.keys[0].n, 'base64url')).toHaveLength(256);
    expect(headers.get('content-type')).toMatch(/^application\/json/);
    expect(headers.get('cache-control')).toBe('public, max-age=60');
    expect([...headers.keys()].filter((name) => /ratelimit|retry-after/.test(name))).toEqual([]);
  }
  await limited.stop();
});

test('a private key is nowhere in the database but sealed', async () => {
  const [row] = await database.sql`select kid, sealed_private as sealed from signing_keys`;
  const opened = createSealer(Buffer.from(SECRET_KEY, 'base64')).open(row?.['sealed'], row?.['kid']);
  const { d, p, q } = JSON.parse(opened);
  expect(d.length).toBeGreaterThan(300);
  const tables = await database.sql<{ name: string }[]>`
    select table_name as name from information_schema.tables where table_schema = 'public'`;
  for (const { name } of tables) {
    const [stored] =
      await database.sql`select coalesce(string_agg(t::text, ' '), '') as text from ${database.sql(name)} t`;
    for (const secret of [d, p, q])
      for (const spelling of [
        secret,
        Buffer.from(secret).toString('hex'),
        Buffer.from(secret, 'base64url').toString('hex'),
      ])
        expect(stored?.['text'], name).not.toContain(spelling);
  }
});

test('npm run keys: a rotated key reaches running replicas, waits, signs; tokens of both verify everywhere', async () => {
  const [old] = await kidsOf(first());
  const party = await newParty(first());
  const before = await party.grant();
  const begun = Date.now();
  const rotated = await keys('rotate');
  const [, kid, from] = /^(\S+) is published from now on and signs from (\S+)\n$/.exec(rotated) ?? [];
  expect(Date.parse(from ?? '')).toBeGreaterThanOrEqual(begun + 60_000);
  for (const replica of replicas)
    await waitFor(async () => (await kidsOf(replica)).length === 2 || undefined);
  expect(await kidsOf(first())).toEqual([old, kid]);
  expect(kidOf(await party.grant())).toBe(old);
  const waiting = await keys('list');
  expect(waiting.split('\n').map((line) => line.split(/\s+/).slice(0, 2))).toEqual([
    [old, 'signs'],
    [kid, 'waits'],
    [''],
  ]);

  // Two minutes later, for a replica that starts then; the others still sign with the key that they know.
  await database.sql`update signing_keys set signs_from = now() where kid = ${kid ?? ''}`;
  replicas.push(await start());
  const [one, , newest] = replicas as [TestService, TestService, TestService];
  const after = await newest.request('POST', '/v1/token', {
    key: party.key,
    body: { code: await party.consent(), agentId: party.agentId },
  });
  expect(kidOf(after.body)).toBe(kid);
  expect(await keys('list')).toMatch(new RegExp(`^${old}\\s+retired .*\n${kid}\\s+signs `));
  for (const pair of [before, after.body])
    for (const replica of [one, newest]) {
      await verifyOffline(replica, pair);
      const verified = await replica.request('POST', '/v1/tokens/verify', {
        key: party.key,
        body: { token: pair.grantToken },
      });
      expect(verified.body).toMatchObject({ valid: true, grantId: pair.grantId });
    }
});

test('npm run keys with another SECRET_KEY: said so, exit 78, and no key is added', async () => {
  const [before] = await database.sql`select count(*)::int as keys from signing_keys`;
  const { code, stdout, stderr } = await refusedKeys('rotate', {
    SECRET_KEY: randomBytes(32).toString('base64'),
  });
  expect([code, stdout]).toEqual([78, '']);
  expect(stderr).toMatch(/^SECRET_KEY does not open the signing keys in the database/);
  expect((await database.sql`select count(*)::int as keys from signing_keys`)[0]).toEqual(before);
});

test.each<[string, string, Record<string, string>, number, RegExp]>([
  [
    'an unknown command',
    'burn',
    {},
    2,
    /^The command must be list, rotate, revoke <kid> or reseal; --help says what there is\n$/,
  ],
  ['a bad configuration', 'list', { SECRET_KEY: 'short' }, 78, /^SECRET_KEY must be 32 bytes/],
])('npm run keys: %s is told on stderr', async (_what, command, env, code, message) => {
  expect(await refusedKeys(command, env)).toEqual({
    code,
    stdout: '',
    stderr: expect.stringMatching(message),
  });
});

test('npm run keys finds the embedded database of a running service', async () => {
  const { path, remove } = await temporaryDirectory();
  const env = { DATA_DIR: path, DATABASE_URL: '', SECRET_KEY: '' };
  const service = await startService({ env });
  const [kid] = await kidsOf(service);
  expect(await keys('list', env)).toMatch(new RegExp(`^${kid}\\s+signs .*\n$`));
  await keys('rotate', env);
  expect((await keys('list', env)).split('\n')).toHaveLength(3);
  await service.stop();
  await remove();
});

test('SIGNING_KEYS_FILE: the first signs, all are published without their private members, none is stored', async () => {
  const { path, remove } = await temporaryDirectory();
  const file = join(path, 'keys.json');
  const [one, two] = ['one', 'two'].map((kid) => ({
    ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
    kid,
  }));
  const own = await createTestDatabase();
  const run = async (content: unknown) => {
    await writeFile(file, JSON.stringify(content));
    return startService({ database: own, env: { JWT_ISSUER, SIGNING_KEYS_FILE: file } });
  };

  const service = await run({ keys: [one, two] });
  expect((await jwks(service)).body.keys).toEqual(
    [one, two].map((key) => ({ kty: 'RSA', alg: 'RS256', use: 'sig', kid: key?.kid, n: key?.n, e: key?.e })),
  );
  const party = await newParty(service);
  const pair = await party.grant();
  expect(kidOf(pair)).toBe('one');
  await verifyOffline(service, pair);
  expect(await party.verify(pair.grantToken)).toBe(true);
  expect(await own.sql`select kid from signing_keys`).toEqual([]);
  const command = await npmRun('keys', ['rotate'], {
    DATABASE_URL: own.url,
    SECRET_KEY,
    SIGNING_KEYS_FILE: file,
  });
  expect(command).toMatchObject({ code: 1, stderr: expect.stringMatching(/^SIGNING_KEYS_FILE is set/) });
  await service.stop();

  const turned = await run({ keys: [two, one] });
  const verified = await turned.request('POST', '/v1/tokens/verify', {
    key: party.key,
    body: { token: pair.grantToken },
  });
  expect(verified.body.valid).toBe(true);
  expect(kidOf(await (await newParty(turned)).grant())).toBe('two');
  await turned.stop();

  await writeFile(file, JSON.stringify({ keys: [{ kty: 'RSA', kid: 'one', n: one?.n, e: one?.e }] }));
  const refused = await runToEnd({ DATABASE_URL: own.url, SECRET_KEY, SIGNING_KEYS_FILE: file, PORT: '0' });
  expect([refused.code, refused.logs.at(-1)?.['faults']]).toEqual([
    78,
    [expect.stringMatching(/^SIGNING_KEYS_FILE must be the path of a readable private JWKS/)],
  ]);
  await own.drop();
  await remove();
});

test('after the theft of a key: SIGNING_KEYS_FILE with a new one ends all tokens of before, and a refresh gives good ones', async () => {
  const { path, remove } = await temporaryDirectory();
  const file = join(path, 'keys.json');
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  await writeFile(file, JSON.stringify({ keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'new' }] }));
  const own = await createTestDatabase();
  const before = await startService({ database: own, env: { JWT_ISSUER } });
  const party = await newParty(before);
  const pair = await party.grant();
  expect(await party.verify(pair.grantToken)).toBe(true);
  await before.stop();

  const after = await startService({ database: own, env: { JWT_ISSUER, SIGNING_KEYS_FILE: file } });
  const ask = (url: string, body: unknown) => after.request('POST', url, { key: party.key, body });
  const valid = async ({ grantToken }: TokenPair) =>
    (await ask('/v1/tokens/verify', { token: grantToken })).body.valid;
  expect(await valid(pair)).toBe(false);
  await expect(verifyOffline(after, pair)).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' });
  const { refreshToken } = pair;
  const refreshed = await ask('/v1/token/refresh', { refreshToken, agentId: party.agentId });
  expect(refreshed.status).toBe(201);
  expect(kidOf(refreshed.body)).toBe('new');
  expect(await valid(refreshed.body)).toBe(true);
  await verifyOffline(after, refreshed.body);
  await after.stop();
  await own.drop();
  await remove();
});
