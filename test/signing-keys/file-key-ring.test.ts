import { exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose';
import { expect, test } from 'vitest';
import { fileKeyRing } from '../../src/signing-keys/key-ring.ts';

test.each([[['verify']], [['sign']]])(
  'a key of SIGNING_KEYS_FILE signs and verifies, with key_ops %j',
  async (key_ops) => {
    const { privateKey } = await generateKeyPair('RS256', { modulusLength: 2048, extractable: true });
    const inFile = { ...(await exportJWK(privateKey)), kid: 'one', use: 'enc', key_ops };
    const ring = await fileKeyRing([inFile]);
    const { kid, key } = ring.signer();
    const token = await new SignJWT({ sub: 'a' }).setProtectedHeader({ alg: 'RS256', kid }).sign(key);
    const verifier = await ring.verifier('one');
    if (!verifier) throw new Error('the key is not known');
    expect((await jwtVerify(token, verifier)).payload).toEqual({ sub: 'a' });
    expect(ring.published()).toEqual([
      { kty: 'RSA', alg: 'RS256', use: 'sig', kid: 'one', n: inFile.n, e: inFile.e },
    ]);
  },
);
