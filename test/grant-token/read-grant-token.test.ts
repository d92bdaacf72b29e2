import { exportJWK, generateKeyPair } from 'jose';
import { beforeAll, expect, test } from 'vitest';
import { createTokenReader } from '../../src/grant-token/read-grant-token.ts';
import { signGrantToken } from '../../src/grant-token/sign-grant-token.ts';
import { fileKeyRing } from '../../src/signing-keys/file-key-ring.ts';
import type { KeyRing } from '../../src/signing-keys/key-ring.ts';

const HOUR = 3_600_000;
const ISSUER = 'https://auth.example.com';

let ring: KeyRing;
beforeAll(async () => {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  ring = await fileKeyRing([{ ...(await exportJWK(privateKey)), kid: 'one' }] as never);
});

/** A reader whose clock, published keys and look-ups of keys the test holds. */
async function reader(grantTokenType = 'JWT') {
  const world = { now: Date.parse('2026-11-24T12:00:00Z'), published: true, lookUps: 0 };
  const clock = { now: () => world.now };
  const deps = {
    clock,
    issuer: () => ISSUER,
    telemetry: { inSpan: (_n: string, _a: object, fn: () => unknown) => fn() },
    config: { grantTokenType },
  };
  const token = await signGrantToken(deps as never, ring.signer(), 'tok_1', {
    grantId: 'grnt_1',
    agentId: 'ag_1',
    developerId: 'dev_1',
    principalId: 'user_1',
    audience: null,
    scopes: ['a'],
    expiresAt: new Date(world.now + HOUR),
    grantExpiresAt: new Date(world.now + HOUR),
  });
  const read = createTokenReader({
    clock,
    issuer: () => ISSUER,
    keys: {
      knows: () => world.published,
      verifier: async (kid) => {
        world.lookUps++;
        return world.published ? ring.verifier(kid) : undefined;
      },
    },
  });
  return { world, read, token };
}

test('a signature is checked once', async () => {
  const { world, read, token } = await reader();
  const first = await read(token);
  expect(await read(token)).toEqual(first);
  expect([first.valid, world.lookUps]).toEqual([true, 1]);
});

test('a remembered token expires to the second', async () => {
  const { world, read, token } = await reader();
  await read(token);
  world.now += HOUR - 1;
  expect((await read(token)).valid).toBe(true);
  world.now += 1;
  expect(await read(token)).toEqual({ valid: false, reason: 'expired', tokenId: 'tok_1' });
});

test('a remembered token dies with its key', async () => {
  const { world, read, token } = await reader();
  await read(token);
  world.published = false;
  expect(await read(token)).toEqual({ valid: false, reason: 'unknown_key' });
});

test.each(['JWT', 'at+jwt'])('the type %s is accepted, whatever GRANT_TOKEN_TYPE is now', async (type) => {
  const { read, token } = await reader(type);
  expect((await read(token)).valid).toBe(true);
});

test('a token of another type is none of ours', async () => {
  const { read, token } = await reader('principal-session+jwt');
  expect(await read(token)).toEqual({ valid: false, reason: 'malformed' });
});

test('a token that differs in one character is another one', async () => {
  const { read, token } = await reader();
  await read(token);
  const [head, payload, signature = ''] = token.split('.');
  const changed = `${head}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
  expect(await read(changed)).toEqual({ valid: false, reason: 'bad_signature' });
});
