import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { exportJWK, generateKeyPair } from 'jose';
import { expect, test } from 'vitest';
import { createTokenReader } from '../../src/grant-token/read-grant-token.ts';
import { signGrantToken } from '../../src/grant-token/sign-grant-token.ts';
import { fileKeyRing } from '../../src/signing-keys/file-key-ring.ts';

setFlagsFromString('--expose-gc');
const gc: () => void = runInNewContext('gc');
const range = (count: number, of: (n: number) => string) => Array.from({ length: count }, (_, n) => of(n));
const MB = 1_000_000;
const heap = (): number => {
  gc();
  gc();
  return process.memoryUsage().heapUsed;
};

test.each([
  // Without a bound in bytes, each of these would keep more than 22 MB.
  [
    'long scopes in two-byte text',
    2_000,
    (token: number) => range(24, (n) => `${token}:${n}:${'ж'.repeat(240)}`),
  ],
  ['many short scopes', 700, (token: number) => range(1_000, (n) => `${token}:${n}`)],
])('remembered tokens of %s take at most 20 MB', async (_, tokens, scopesOf) => {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const ring = await fileKeyRing([{ ...(await exportJWK(privateKey)), kid: 'one' }] as never);
  const deps = {
    clock: { now: () => Date.now() },
    issuer: () => 'https://auth.example.com',
    telemetry: { inSpan: (_n: string, _a: object, fn: () => unknown) => fn() },
    config: { grantTokenType: 'JWT' },
  };
  const read = createTokenReader({
    ...deps,
    keys: { knows: () => true, verifier: async (kid) => ring.verifier(kid) },
  });
  const verify = async (n: number) =>
    read(
      await signGrantToken(deps as never, ring.signer(), `tok_${n}`, {
        grantId: `grnt_${n}`,
        agentId: 'ag_1',
        developerId: 'dev_1',
        principalId: `user_${n}`,
        audience: null,
        scopes: scopesOf(n),
        expiresAt: new Date(Date.now() + 3_600_000),
        grantExpiresAt: new Date(Date.now() + 3_600_000),
      }),
    );
  expect((await verify(0)).valid).toBe(true);
  const before = heap();
  for (let n = 1; n < tokens; n++) await verify(n);
  const grown = (heap() - before) / MB;
  expect(grown).toBeLessThan(20);
  expect((await verify(0)).valid).toBe(true);
});
