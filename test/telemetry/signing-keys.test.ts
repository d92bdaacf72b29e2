import { exportJWK, generateKeyPair } from 'jose';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fileKeyRing } from '../../src/signing-keys/file-key-ring.ts';
import type { SigningKeys } from '../../src/telemetry/signing-keys.ts';
import { startHarness } from './harness.ts';

let harness: ReturnType<typeof startHarness>;
beforeEach(() => {
  harness = startHarness();
});
afterEach(() => harness.stop());

async function reported(): Promise<Record<string, number>> {
  const samples = [...(await harness.samples())];
  return Object.fromEntries(samples.filter(([series]) => series.startsWith('grantex_signing_key')));
}

test('a replica says what it knows of the signing keys, until it ends', async () => {
  let keys: SigningKeys = { published: 0, signingFor: null, readAgo: null };
  const end = harness.telemetry.observeSigningKeys(() => keys);
  // What is not known is left out: 0 would be a claim.
  expect(await reported()).toEqual({ grantex_signing_keys: 0 });
  keys = { published: 2, signingFor: 3600, readAgo: 7.5 };
  expect(await reported()).toEqual({
    grantex_signing_keys: 2,
    grantex_signing_key_age_seconds: 3600,
    grantex_signing_keys_read_age_seconds: 7.5,
  });
  end();
  keys = { published: 3, signingFor: 0, readAgo: 0 };
  expect(await reported()).toMatchObject({ grantex_signing_keys: 2 });
});

test('what fails while it is read is counted as a fault of telemetry and leaves the scrape whole', async () => {
  harness.telemetry.observeSigningKeys(() => {
    throw new Error('broken');
  });
  expect(await reported()).toEqual({});
  expect((await harness.samples()).get('grantex_telemetry_faults_total')).toBeGreaterThan(0);
});

test('of keys from a file only the number is known', async () => {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const jwk = { ...(await exportJWK(privateKey)), kid: 'one' };
  const ring = await fileKeyRing([jwk] as unknown as Parameters<typeof fileKeyRing>[0]);
  expect(ring.observe()).toEqual({ published: 1, signingFor: null, readAgo: null });
});
