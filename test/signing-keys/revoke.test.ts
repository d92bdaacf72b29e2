// The runbook deploy/runbooks/leaked-signing-key.md, played through on two replicas, with a thief who has the private key.
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSealer } from '../../src/secrets/sealing.ts';
import { npmOutput, npmRun } from '../support/command.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty } from '../support/flow.ts';
import { sumOver } from '../support/ledger.ts';
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
let first: TestService;
let second: TestService;
const start = (env: Record<string, string> = {}) => startService({ database, env: { JWT_ISSUER, ...env } });
beforeAll(async () => {
  database = await createTestDatabase();
  replicas = await Promise.all([start(), start()]);
  [first, second] = replicas as [TestService, TestService];
});
afterAll(async () => {
  await Promise.all(replicas.map((replica) => replica.stop()));
  await database.drop();
});

const kidsOf = async (service: TestService): Promise<string[]> =>
  (await service.request('GET', '/.well-known/jwks.json')).body.keys.map(({ kid }: { kid: string }) => kid);
const kidOf = (token: string) => String(decodeProtectedHeader(token).kid);
const settings = (env: Record<string, string> = {}) => ({ DATABASE_URL: database.url, SECRET_KEY, ...env });
const keys = (...words: string[]) => npmOutput('keys', words, settings());
/** Rotates. @returns the key that waits to sign from then on */
const rotated = async (): Promise<string> => {
  await keys('rotate');
  const waiting = /^(\S+) {2}waits /m.exec(await keys('list'))?.[1];
  if (waiting === undefined) throw new Error('no key waits');
  return waiting;
};
/** What a thief of the database and of SECRET_KEY has. */
const stolen = async (kid: string): Promise<KeyObject> => {
  const [row] = await database.sql`select sealed_private as sealed from signing_keys where kid = ${kid}`;
  const opened = createSealer(Buffer.from(SECRET_KEY, 'base64')).open(row?.['sealed'], kid);
  return createPrivateKey({ key: JSON.parse(opened), format: 'jwk' });
};
/** A token of a real grant, with claims of the thief's choice. */
const forge = (key: KeyObject, token: string, claims: object) =>
  new SignJWT({ ...decodeJwt(token), ...claims })
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: kidOf(token) })
    .sign(key);
const answers = async (service: TestService, key: string, token: string) => {
  const ask = (path: string, body: unknown) => service.request('POST', path, { key, body });
  return {
    verified: (await ask('/v1/tokens/verify', { token })).body,
    introspected: (await ask('/oauth/introspect', `token=${token}`)).body,
    grant: (await ask('/v1/grants/verify', { token })).body.active,
  };
};

test('a token forged with the real key, for a real grant: what is stored is answered, never what it says', async () => {
  const party = await newParty(first);
  const { grantToken, grantId, expiresAt, scopes } = await party.grant({ principalId: 'user_1' });
  const lies = {
    sub: 'admin',
    scp: ['*'],
    scope: '*',
    agt: 'did:grantex:ag_thief',
    client_id: 'ag_thief',
    aud: 'https://bank.example.com',
    exp: Math.floor(Date.now() / 1000) + 10 * 365 * 86_400,
    act: { sub: 'did:grantex:ag_boss' },
    'urn:grantex:grant': { agent_did: 'did:grantex:ag_thief', developer_id: 'dev_x', grant_id: 'grnt_x' },
  };
  const forged = await forge(await stolen(kidOf(grantToken)), grantToken, lies);
  const { verified, introspected } = await answers(second, party.key, forged);
  expect(verified).toEqual({
    valid: true,
    grantId,
    scopes,
    principal: 'user_1',
    agent: `did:grantex:${party.agentId}`,
    expiresAt,
  });
  expect(introspected).toEqual((await answers(second, party.key, grantToken)).introspected);
  expect(introspected).toMatchObject({
    active: true,
    scope: scopes.join(' '),
    client_id: party.agentId,
    sub: 'user_1',
    exp: Math.floor(Date.parse(expiresAt) / 1000),
  });
  expect([introspected.aud, introspected.act]).toEqual([undefined, undefined]);
  // A token that was never issued, and one of another grant, are not made valid by the key.
  const other = await party.grant({ principalId: 'user_2' });
  for (const claims of [{ jti: 'tok_invented' }, { grnt: other.grantId }]) {
    const invented = await answers(
      first,
      party.key,
      await forge(await stolen(kidOf(grantToken)), grantToken, claims),
    );
    expect([invented.verified, invented.introspected]).toEqual([{ valid: false }, { active: false }]);
  }
  const delegation = await second.request('POST', '/v1/grants/delegate', {
    key: party.key,
    body: { parentGrantToken: forged, subAgentId: party.agentId, scopes: ['*'] },
  });
  expect(delegation.status).toBe(400);
});

test('a signing key has leaked: revoked, it signs and verifies nothing on any replica; all goes on with another one', async () => {
  const party = await newParty(first);
  const before = await party.grant();
  const leaked = kidOf(before.grantToken);
  const thief = await stolen(leaked);
  // Both replicas know the key, and have verified this token.
  for (const replica of replicas)
    expect((await answers(replica, party.key, before.grantToken)).verified.valid).toBe(true);

  const [line = '', said = ''] = (await keys('revoke', leaked)).split('\n');
  expect(JSON.parse(line)).toEqual({
    level: 'warn',
    timestamp: expect.any(String),
    msg: 'signing_key.revoked',
    kid: leaked,
  });
  const successor = /^(\S+) signs from now on$/.exec(said)?.[1] ?? '';
  await Promise.all(
    replicas.map((replica) => waitFor(async () => !(await kidsOf(replica)).includes(leaked) || undefined)),
  );

  const forged = await forge(thief, before.grantToken, { scp: ['*'] });
  for (const replica of replicas) {
    expect(await kidsOf(replica)).toEqual([successor]);
    for (const token of [before.grantToken, forged]) {
      const { verified, introspected, grant } = await answers(replica, party.key, token);
      expect([verified, introspected, grant]).toEqual([{ valid: false }, { active: false }, false]);
    }
    expect(await replica.logged('signing_key.revoked')).toEqual([
      expect.objectContaining({ level: 'warn', kid: leaked }),
    ]);
  }
  const counted = { object: 'signing_key', change: 'revoked' };
  expect(await sumOver(replicas, 'grantex_admin_changes_total', counted)).toBe(1);

  // Grants and refresh tokens go on: agents get tokens of the other key.
  const refreshed = await second.request('POST', '/v1/token/refresh', {
    key: party.key,
    body: { refreshToken: before.refreshToken, agentId: party.agentId },
  });
  expect([refreshed.status, kidOf(refreshed.body.grantToken)]).toEqual([201, successor]);
  expect((await answers(first, party.key, refreshed.body.grantToken)).verified.valid).toBe(true);

  // It never comes back.
  const late = await start();
  expect(await kidsOf(late)).toEqual([successor]);
  expect(late.logs.filter(({ msg }) => msg === 'signing_key.revoked')).toEqual([]);
  await late.stop();
  const listed = (await keys('list')).split('\n').map((one) => one.split(/\s+/).slice(0, 2));
  expect(listed).toEqual([[successor, 'signs'], [leaked, 'revoked'], ['']]);
  expect(await keys('revoke', leaked)).toBe(`${leaked} was revoked before\n`);
  const [row] =
    await database.sql`select length(sealed_private) as bytes from signing_keys where kid = ${leaked}`;
  expect(row).toEqual({ bytes: 0 });
  expect(await npmRun('keys', ['revoke', 'unknown'], settings())).toEqual({
    code: 1,
    stdout: '',
    stderr: 'no signing key has the id unknown (npm run keys -- list)\n',
  });
});

test('the next key signs at once in place of the revoked one, and a retired key never signs again', async () => {
  const [signing = ''] = await kidsOf(first);
  const waiting = await rotated();
  expect(await keys('revoke', signing)).toContain(`${waiting} signs from now on\n`);
  await waitFor(async () => !(await kidsOf(second)).includes(signing) || undefined);
  const party = await newParty(second);
  expect(kidOf((await party.grant()).grantToken)).toBe(waiting);
  // Now it is retired, and the one after it is revoked.
  const next = await rotated();
  await database.sql`update signing_keys set signs_from = now() - interval '1 second' where kid = ${next}`;
  const newest = /(\S+) signs from now on\n$/.exec(await keys('revoke', next))?.[1];
  const replica = await start();
  expect((await kidsOf(replica)).sort()).toEqual([waiting, newest].sort());
  expect(kidOf((await (await newParty(replica)).grant()).grantToken)).toBe(newest);
  await replica.stop();
});

test('SIGNING_KEYS_FILE: the next key of the file signs; a revoked first key is refused at the start, any other is told of', async () => {
  const directory = await temporaryDirectory();
  const path = join(directory.path, 'keys.json');
  const jwk = (kid: string) => ({
    ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
    kid,
  });
  // The ids of a file are free; ours have such a beginning now and then.
  const [one, two] = [jwk('-one'), jwk('two')];
  await writeFile(path, JSON.stringify({ keys: [one, two] }));
  const env = { SIGNING_KEYS_FILE: path };
  const replica = await start(env);
  const party = await newParty(replica);
  const { grantToken } = await party.grant();
  expect([kidOf(grantToken), await kidsOf(replica)]).toEqual(['-one', ['-one', 'two']]);
  expect((await npmRun('keys', ['revoke', 'three'], settings(env))).code).toBe(1);
  expect(await npmOutput('keys', ['revoke', '-one'], settings(env))).toMatch(/"kid":"-one"}\n$/);
  await waitFor(async () => (await kidsOf(replica)).length === 1 || undefined);
  expect((await answers(replica, party.key, grantToken)).verified).toEqual({ valid: false });
  expect(kidOf((await party.grant()).grantToken)).toBe('two');
  await replica.stop();

  const { code, logs } = await runToEnd(settings({ PORT: '0', ...env }));
  const fault = 'SIGNING_KEYS_FILE: its first key, -one, was revoked and signs nothing any more';
  expect([code, logs.at(-1)]).toEqual([78, expect.objectContaining({ level: 'fatal', faults: [fault] })]);
  await writeFile(path, JSON.stringify({ keys: [two, one] }));
  const again = await start(env);
  expect(await kidsOf(again)).toEqual(['two']);
  expect(again.logs).toContainEqual(
    expect.objectContaining({ level: 'warn', msg: 'signing_key.revoked', kid: '-one' }),
  );
  await again.stop();
  await directory.remove();
});
