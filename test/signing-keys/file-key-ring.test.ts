import { exportJWK, generateKeyPair, type JWK, jwtVerify, SignJWT } from 'jose';
import { expect, test } from 'vitest';
import { fileKeyRing } from '../../src/signing-keys/file-key-ring.ts';

const RSA = { kty: 'RSA', members: ({ n, e }: JWK) => ({ n, e }) };
const EC = { kty: 'EC', members: ({ crv, x, y }: JWK) => ({ crv, x, y }) };

test.each([
  ['RS256', RSA, ['verify']],
  ['RS256', RSA, ['sign']],
  ['ES256', EC, ['sign']],
])('a key of SIGNING_KEYS_FILE signs and verifies %s', async (alg, { kty, members }, key_ops) => {
  const { privateKey } = await generateKeyPair(alg, { modulusLength: 2048, extractable: true });
  const inFile = { ...(await exportJWK(privateKey)), kid: 'one', use: 'enc', key_ops };
  const ring = await fileKeyRing([inFile]);
  const { kid, key, alg: signs } = ring.signer();
  expect(signs).toBe(alg);
  const token = await new SignJWT({ sub: 'a' }).setProtectedHeader({ alg, kid }).sign(key);
  const verifier = await ring.verifier('one');
  if (!verifier) throw new Error('the key is not known');
  expect((await jwtVerify(token, verifier.key)).payload).toEqual({ sub: 'a' });
  expect(ring.published()).toEqual([{ kty, alg, use: 'sig', kid: 'one', ...members(inFile) }]);
});
